if (firstSync) {
  entity.entityType = "Case";
}

if (entity.entityType === "Case") {
  entity.Subject = replica.summary;
  entity.Description = replica.description;
  // No row, no change: status(undefined) does nothing.
  status(mapping("case-status", replica.status));
  comments.merge(entity, replica);
  attachments.merge(entity, replica);
}
