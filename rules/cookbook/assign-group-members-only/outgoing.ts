if (entity.entityType === "Case") {
  // The owner may be a queue, which has no address.
  const owner = entity.OwnerId.type === "User" ? await lookup.get("User", entity.OwnerId.id) : undefined;

  replica.key = entity.key;
  replica.summary = entity.Subject;
  replica.assignee = owner ? { id: owner.entityRef.id, displayName: owner.Name, email: owner.Email } : null;
}
