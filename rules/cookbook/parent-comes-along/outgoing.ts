if (entity.entityType === "Case") {
  const parent = entity.ParentId;
  if (parent && !(await twins.isSynced(parent))) startSync(parent);

  replica.key = entity.key;
  replica.summary = entity.Subject;
  replica.parent = parent?.id;
}
