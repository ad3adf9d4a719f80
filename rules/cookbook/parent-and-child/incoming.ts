if (firstSync) {
  entity.entityType = "Case";
}

if (entity.entityType === "Case") {
  entity.Subject = replica.summary;
  if (replica.parent) {
    const parent = await twins.localFor(replica.parent, "Case");
    if (!parent) waitFor(replica.parent);
    entity.ParentId = parent;
  } else {
    entity.ParentId = null;
  }
}
