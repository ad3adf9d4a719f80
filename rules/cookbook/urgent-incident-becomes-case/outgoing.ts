// Only incidents of urgency 1 begin to sync. Once tied, every change travels, also when the urgency falls.
if (entity.entityType !== "incident") skip("only incidents travel");
if (firstSync && entity.urgency !== "1") skip(`urgency is ${entity.display.urgency ?? "not set"}`);

replica.key = entity.number;
replica.summary = entity.short_description;
replica.description = entity.description;
replica.comments = entity.comments;
