if (entity.entityType === "incident") {
  replica.key = entity.number;
  replica.summary = entity.short_description;
  replica.status = entity.display.state;
  replica.custom = { why: entity.close_notes };
}
