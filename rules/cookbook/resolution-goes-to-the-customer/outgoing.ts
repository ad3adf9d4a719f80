if (entity.entityType !== "incident") skip("only incidents travel");

replica.key = entity.number;
replica.summary = entity.short_description;
if (entity.display.state === "Resolved" || entity.display.state === "Closed") {
  replica.custom = { resolution: `${entity.close_code}: ${entity.close_notes}` };
}
