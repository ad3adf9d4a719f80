// What arrives in Salesforce. Only what differs from the record is written.

/** Other platforms have other status names. Names of the same step count as the same: the record keeps its own. */
const steps = new Map([
  ["New", "new"],
  ["Working", "working"],
  ["Escalated", "working"],
  ["In Progress", "working"],
  ["On Hold", "working"],
  ["Open", "working"],
  ["Awaiting Info", "working"],
  ["Resolved", "done"],
  ["Closed", "done"],
  ["Canceled", "done"],
  ["Cancelled", "done"],
]);
const ourStatuses = new Map([
  ["new", "New"],
  ["working", "Working"],
  ["done", "Closed"],
]);

/** Likewise for priorities. */
const levels = new Map([
  ["Critical", "high"],
  ["High", "high"],
  ["Moderate", "medium"],
  ["Medium", "medium"],
  ["Normal", "medium"],
  ["Low", "low"],
  ["Planning", "low"],
]);
const ourPriorities = new Map([
  ["high", "High"],
  ["medium", "Medium"],
  ["low", "Low"],
]);

// The first sync creates a Case.
const creating = firstSync && !entity.entityRef;
if (creating) entity.entityType = "Case";

if (entity.entityType === "Case") {
  if (creating) entity.Origin = "Web";
  if (!isCut(replica.summary, entity.Subject)) entity.Subject = fitted(replica.summary, 255);
  if (!isCut(replica.description, entity.Description)) entity.Description = fitted(replica.description, 32000);

  // A name that the tables do not know leaves the field alone.
  const newStatus = translated(replica.status, entity.display.Status ?? entity.Status, steps, ourStatuses);
  if (newStatus) status(newStatus);
  const newPriority = translated(replica.priority, entity.Priority, levels, ourPriorities);
  if (newPriority) entity.Priority = newPriority;

  comments.merge(entity, replica);
  attachments.merge(entity, replica);
}

if (entity.entityType === "Task") {
  if (!isCut(replica.summary, entity.Subject)) entity.Subject = fitted(replica.summary, 255);
  if (!isCut(replica.description, entity.Description)) entity.Description = fitted(replica.description, 32000);
}

/** Our name for theirs, or undefined when what we have means the same or nobody knows what theirs means. */
function translated(theirs, ours, meanings, names) {
  const name = theirs?.name ?? theirs;
  // The same kind of record on both sides: names need no translation.
  if (replica.type === entity.entityType) return name !== ours ? name : undefined;
  const meaning = meanings.get(name);
  return meaning !== meanings.get(ours) ? names.get(meaning) : undefined;
}

function fitted(text, length) {
  return typeof text === "string" && text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** Theirs is ours, cut to what fits there: then ours stays. */
function isCut(theirs, ours) {
  return typeof theirs === "string" && typeof ours === "string" && theirs.endsWith("…") && theirs !== ours && ours.startsWith(theirs.slice(0, -1));
}
