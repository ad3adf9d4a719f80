if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  entity.short_description = replica.summary;

  const lines = replica.custom?.context ?? [];
  if (firstSync && lines.length > 0) comments.add(lines.join("\n"), { internal: true });
}
