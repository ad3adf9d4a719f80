if (entity.entityType === "Case") {
  replica.key = entity.key;
  replica.summary = entity.Subject;
  replica.status = entity.display.Status;
}
