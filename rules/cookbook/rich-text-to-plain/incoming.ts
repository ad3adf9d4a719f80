if (firstSync) {
  entity.entityType = "Case";
}

if (entity.entityType === "Case") {
  entity.Subject = `Known error: ${replica.summary}`;
  entity.Description = text.toPlain(replica.description, "html");
}
