if (firstSync) {
  entity.entityType = "Case";
}

if (entity.entityType === "Case") {
  const lines = Object.entries(replica.custom?.form ?? {}).map(([question, answer]) => `${question}: ${answer}`);
  entity.Subject = `${replica.key}: ${replica.summary}`;
  entity.Description = lines.join("\n");
}
