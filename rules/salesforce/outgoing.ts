// What leaves Salesforce. Public comments only: internal ones stay here unless you name them.

if (entity.entityType === "Case") {
  replica.type = entity.entityType;
  replica.key = entity.key;
  replica.summary = entity.Subject;
  replica.description = entity.Description;
  replica.status = entity.display.Status ?? entity.Status;
  replica.priority = entity.display.Priority ?? entity.Priority;
  replica.comments = entity.comments;
  replica.attachments = entity.attachments;
}

if (entity.entityType === "Task") {
  replica.type = entity.entityType;
  replica.key = entity.key;
  replica.summary = entity.Subject;
  replica.description = entity.Description;
  replica.status = entity.display.Status ?? entity.Status;
  replica.priority = entity.display.Priority ?? entity.Priority;
}
