// What arrives in ServiceNow. Only what differs from the record is written.

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
const ourStates = new Map([
  ["new", "New"],
  ["working", "In Progress"],
  ["done", "Resolved"],
]);

/** Likewise for priorities, which ServiceNow works out of impact and urgency. */
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
  ["medium", "Moderate"],
  ["low", "Low"],
]);
const matrix = new Map([
  ["Critical", { impact: "1", urgency: "1" }],
  ["High", { impact: "2", urgency: "1" }],
  ["Moderate", { impact: "2", urgency: "2" }],
  ["Low", { impact: "3", urgency: "2" }],
  ["Planning", { impact: "3", urgency: "3" }],
]);

// The first sync creates an incident.
if (firstSync && !entity.entityRef) entity.entityType = "incident";

if (
  entity.entityType === "incident" ||
  entity.entityType === "sn_customerservice_case" ||
  entity.entityType === "problem" ||
  entity.entityType === "change_request"
) {
  if (!isCut(replica.summary, entity.short_description)) entity.short_description = fitted(replica.summary, 160);
  if (!isCut(replica.description, entity.description)) entity.description = fitted(replica.description, 4000);
  comments.merge(entity, replica);
  attachments.merge(entity, replica);
}

// The other types have workflows of their own, which a table of names cannot speak for.
if (entity.entityType === "incident") {
  // A name that the tables do not know leaves the field alone.
  const newState = translated(replica.status, entity.display.state ?? entity.state, steps, ourStates);
  if (newState) {
    status(newState);
    // What ServiceNow wants to know then. Put your own choices here.
    if (newState === "On Hold") entity.hold_reason ||= choice("1");
    if (newState === "Resolved" || newState === "Closed") {
      entity.close_code ||= choice("Solved (Permanently)");
      entity.close_notes ||= `Set to ${replica.status?.name ?? replica.status} by ${connection.remote}.`;
    }
  }
  const ourPriority = entity.display.priority?.replace(/^\d+ - /, "");
  const wanted = matrix.get(translated(replica.priority, ourPriority, levels, ourPriorities));
  if (wanted) {
    entity.impact = choice(wanted.impact);
    entity.urgency = choice(wanted.urgency);
  }
}

/** Instances may have choices of their own: the checker does not insist on the shipped ones. */
function choice(value) {
  return value;
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
