replica.type = entity.entityType;
replica.key = entity.key;

if (entity.entityType === "Case") {
  replica.summary = entity.Subject;
  replica.description = entity.Description;
  replica.comments = entity.comments;
}

if (entity.entityType === "Task") {
  replica.summary = entity.Subject;
  replica.description = entity.Description;
  replica.custom = { due: entity.ActivityDate };
}
