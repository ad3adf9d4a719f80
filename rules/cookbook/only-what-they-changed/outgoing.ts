if (entity.entityType === "incident") {
  replica.key = entity.number;
  replica.summary = entity.short_description;
  replica.description = entity.description;
  replica.custom = { users: entity.u_affected_users };
}
