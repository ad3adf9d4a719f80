const wanted = replica.custom?.incident;

if (firstSync) {
  entity.entityType = "incident";
  if (wanted) {
    const existing = await lookup.one("incident", { number: wanted });
    if (!existing) fail(`Case ${replica.key} names the incident ${wanted}, which does not exist.`);
    // Ties the case to it. The rule runs once more, with that incident as `entity`.
    linkTo(existing);
    comments.add(`Case ${replica.key} (${replica.summary}) is about this as well.`, { internal: true });
  }
}

if (entity.entityType === "incident") {
  if (!wanted) entity.short_description = replica.summary;
  comments.merge(entity, replica);
}
