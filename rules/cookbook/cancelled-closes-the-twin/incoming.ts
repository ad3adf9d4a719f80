const cancelled = replica.status === "Canceled";

// A new record that nothing is set on is not created.
if (firstSync && !cancelled) entity.entityType = "Case";

if (entity.entityType === "Case") {
  entity.Subject = replica.summary;
  if (cancelled) {
    status("Closed");
    comments.add(`Cancelled by ${connection.remote}: ${replica.custom?.why ?? "no reason given"}`);
    unlink();
  }
}
