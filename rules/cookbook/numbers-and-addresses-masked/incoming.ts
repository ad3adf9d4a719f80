if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  entity.short_description = replica.summary;
  entity.description = replica.description;
  comments.merge(entity, replica);
}
