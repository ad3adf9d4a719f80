if (firstSync) {
  entity.entityType = "Case";
}

if (entity.entityType === "Case") {
  entity.Subject = replica.summary;
  comments.merge(entity, replica);
  attachments.merge(entity, replica);
}
