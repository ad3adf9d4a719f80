if (entity.entityType !== "incident" && entity.entityType !== "problem" && entity.entityType !== "change_request") {
  skip(`records of type ${entity.entityType} do not travel`);
}

// These three have the same fields, so one block serves them all.
replica.type = entity.entityType;
replica.key = entity.number;
replica.summary = entity.short_description;
replica.description = entity.description;
