if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  entity.short_description = replica.summary;

  // Routed once, and again when the area changes. In between the desk may give it to somebody else.
  if (changes.has("custom.area")) {
    const name = mapping("group", replica.custom?.area);
    const group = await lookup.one("sys_user_group", { name });
    if (!group) fail(`The table "group" says ${name}, but there is no such group.`);
    entity.assignment_group = group;
  }
}
