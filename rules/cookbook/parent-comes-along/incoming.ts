if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  entity.short_description = replica.summary;
  if (replica.parent) {
    entity.parent_incident = (await twins.localFor(replica.parent, "incident")) ?? waitFor(replica.parent);
  }
}
