if (entity.entityType !== "Case") skip("only cases travel");
if (firstSync && entity.IsClosed) skip("closed before it was sent");

replica.key = entity.key;
replica.summary = entity.Subject;
replica.status = entity.IsClosed ? "Closed" : "Open";
