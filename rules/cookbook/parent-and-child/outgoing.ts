if (entity.entityType === "incident") {
  replica.key = entity.number;
  replica.summary = entity.short_description;
  replica.parent = entity.parent_incident?.id ?? null;
}
