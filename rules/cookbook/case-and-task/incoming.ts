if (firstSync) {
  entity.entityType = replica.type === "Task" ? "sc_task" : "incident";
}

if (entity.entityType === "incident") {
  entity.short_description = replica.summary;
  entity.description = replica.description;
  comments.merge(entity, replica);
}

if (entity.entityType === "sc_task") {
  entity.short_description = replica.summary;
  entity.description = replica.description;
  // Salesforce knows the day only. Noon in UTC is the same day for most of the world.
  entity.due_date = replica.custom?.due ? `${replica.custom.due}T12:00:00Z` : null;
}
