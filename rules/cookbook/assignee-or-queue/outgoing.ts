if (entity.entityType === "incident") {
  const assignee = await lookup.get("sys_user", entity.assigned_to?.id);

  replica.key = entity.number;
  replica.summary = entity.short_description;
  replica.assignee = assignee ? { id: assignee.entityRef.id, email: assignee.email, username: assignee.user_name } : null;
}
