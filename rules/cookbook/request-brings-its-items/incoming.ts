if (firstSync) {
  entity.entityType = "Case";
}

if (entity.entityType === "Case") {
  entity.Subject = replica.summary;
  if (replica.parent) {
    const parent = await twins.localFor(replica.parent, "Case");
    // Too early: park this item alone and run again when the request is there.
    if (!parent) waitFor(replica.parent);
    entity.ParentId = parent;
  }
}
