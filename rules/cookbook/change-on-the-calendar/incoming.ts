// Our office is one hour ahead of UTC. Instants always travel in UTC.
const hoursAhead = 1;
const start = new Date(Date.parse(replica.custom.start) + hoursAhead * 3_600_000).toISOString();

if (firstSync) {
  entity.entityType = "Task";
}

if (entity.entityType === "Task") {
  entity.Subject = `${replica.key}: ${replica.summary}`;
  entity.ActivityDate = start.slice(0, 10);
  entity.Description = [`Begins ${start.slice(0, 10)} at ${start.slice(11, 16)}.`, replica.description].filter(Boolean).join("\n\n");
  if (replica.custom.cancelled) status("Deferred");
}
