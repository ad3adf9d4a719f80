if (entity.entityType !== "problem") skip("only problems travel");
if (firstSync && !entity.known_error) skip("not a known error");

replica.key = entity.number;
replica.summary = entity.short_description;
// Sent as it is: the receiver knows best what it can show.
replica.description = entity.cause_notes;
