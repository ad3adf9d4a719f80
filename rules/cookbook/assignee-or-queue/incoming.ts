if (firstSync) {
  entity.entityType = "Case";
}

if (entity.entityType === "Case") {
  entity.Subject = replica.summary;
  if (firstSync || changes.has("assignee")) {
    const user = (await users.byEmail(replica.assignee?.email)) ?? (await users.byUsername(replica.assignee?.username));
    entity.OwnerId = user ?? (await lookup.one("Group", { Type: "Queue", DeveloperName: "Incoming" }));
  }
}
