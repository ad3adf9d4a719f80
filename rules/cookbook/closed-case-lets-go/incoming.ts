if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  entity.short_description = replica.summary;
  if (replica.status === "Closed") {
    comments.add(`Case ${replica.key} was closed. This incident does not follow it any more.`, { internal: true });
    // The last thing that this rule does for the incident: what was set and added above is still written.
    unlink();
  }
}
