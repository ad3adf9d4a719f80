if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  entity.short_description = replica.summary;

  // The third argument is what a status without a row becomes: itself.
  const state = mapping("status", replica.status, replica.status);
  status(state);
  // What ServiceNow wants to know then. What a person wrote there stays.
  if (state === "On Hold") entity.hold_reason ??= "1"; // Awaiting Caller
  if (state === "Resolved") {
    entity.close_code ??= "Solved (Permanently)";
    entity.close_notes ??= `Case ${replica.key} was closed in ${connection.remote}.`;
  }
}
