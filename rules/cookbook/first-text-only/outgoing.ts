if (entity.entityType === "Case") {
  replica.key = entity.key;
  replica.summary = entity.Subject;
  replica.description = entity.Description;
  replica.comments = entity.comments;
}
