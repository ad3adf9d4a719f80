if (entity.entityType !== "change_request") skip("only changes travel");
if (firstSync && entity.display.state !== "Scheduled") skip(`the change is in state ${entity.display.state}`);
if (!entity.start_date) skip("the change has no start yet");

replica.key = entity.number;
replica.summary = entity.short_description;
replica.description = entity.justification;
replica.custom = { start: entity.start_date, end: entity.end_date, cancelled: entity.display.state === "Canceled" };
