if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  entity.short_description = replica.summary;

  if (replica.assignee && changes.has("assignee")) {
    const group = entity.assignment_group;
    const user = await lookup.one("sys_user", { email: replica.assignee.email, active: true });
    const isMember = user && group && (await lookup.one("sys_user_grmember", { user: user.entityRef.id, group: group.id }));
    if (isMember) entity.assigned_to = user;
    else comments.add(`${connection.remote} gave this to ${replica.assignee.displayName}, who is not in the group.`, { internal: true });
  }
}
