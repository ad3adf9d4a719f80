if (entity.entityType === "Case") {
  replica.key = entity.key;
  replica.type = entity.Type;
  replica.summary = entity.Subject;
}
