if (firstSync) {
  entity.entityType = "Case";
}

if (entity.entityType === "Case") {
  // What a new case starts with. Later these belong to the people who work on it.
  if (firstSync) {
    entity.Origin = "Web";
    entity.Priority = "High";
  }
  entity.Subject = `${replica.key}: ${replica.summary}`;
  entity.Description = replica.description;
  comments.merge(entity, replica);
}
