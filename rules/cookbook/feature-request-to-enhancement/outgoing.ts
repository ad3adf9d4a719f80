if (entity.entityType !== "Case") skip("only cases travel");
if (entity.Type !== "Feature Request") skip("not a feature request");

replica.key = entity.key;
replica.summary = entity.Subject;
replica.description = entity.Description;
replica.custom = { customer: entity.AccountId?.display };
replica.comments = entity.comments.filter((comment) => comment.body.startsWith("#dev"));
