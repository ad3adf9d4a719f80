if (entity.entityType === "incident") {
  const caller = await lookup.get("sys_user", entity.caller_id?.id);

  replica.key = entity.number;
  replica.summary = entity.short_description;
  replica.reporter = caller ? { id: caller.entityRef.id, displayName: caller.name, email: caller.email } : null;
}
