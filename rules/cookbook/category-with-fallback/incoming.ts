if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  entity.short_description = replica.summary;
  if (firstSync) {
    const category = mapping("category", replica.type);
    if (!category) console.log("no category for the type", replica.type);
    entity.category = category ?? "inquiry";
  }
}
