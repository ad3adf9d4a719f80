if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  if (firstSync) {
    entity.short_description = replica.summary;
    entity.description = replica.description;
  } else if (changes.has("description")) {
    comments.add(`The customer's description of ${replica.key} now says:\n\n${replica.description}`, { internal: true });
  }
  comments.merge(entity, replica);
}
