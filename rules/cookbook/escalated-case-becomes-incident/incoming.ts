if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  if (firstSync) {
    entity.impact = "2";
    entity.urgency = "1";
    entity.contact_type = "self-service";
  }
  entity.short_description = replica.summary;
  entity.description = replica.description;
  comments.merge(entity, replica);
  attachments.merge(entity, replica);
}
