if (firstSync) {
  entity.entityType = "Case";
}

if (entity.entityType === "Case") {
  entity.Type = mapping("case-type", replica.type);
  entity.Subject = replica.summary;
  entity.Description = replica.description;
}
