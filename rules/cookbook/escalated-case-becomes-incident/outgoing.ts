if (entity.entityType !== "Case") skip("only cases travel");
if (firstSync && !entity.IsEscalated) skip("not escalated");
if (firstSync && entity.IsClosed) skip("closed before it was sent");
// A person sees this message, completes the case and retries.
if (!entity.Description) fail(`Case ${entity.key} needs a description before the service desk can take it.`);

replica.key = entity.key;
replica.summary = entity.Subject;
replica.description = entity.Description;
replica.comments = entity.comments;
replica.attachments = entity.attachments;
