// What leaves ServiceNow. Public comments only: work notes stay here unless you name them.

if (
  entity.entityType === "incident" ||
  entity.entityType === "sn_customerservice_case" ||
  entity.entityType === "problem" ||
  entity.entityType === "change_request"
) {
  replica.type = entity.entityType;
  replica.key = entity.number;
  replica.summary = entity.short_description;
  replica.description = entity.description;
  replica.status = entity.display.state ?? entity.state;
  // "2 - High" travels as "High".
  replica.priority = String(entity.display.priority ?? entity.priority ?? "").replace(/^\d+ - /, "");
  replica.comments = entity.comments;
  replica.attachments = entity.attachments;
}
