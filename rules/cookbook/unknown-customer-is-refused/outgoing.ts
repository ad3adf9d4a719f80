if (entity.entityType !== "Case") skip("only cases travel");

replica.key = entity.key;
replica.summary = entity.Subject;
replica.description = entity.Description;
replica.custom = { accountId: entity.AccountId?.id, accountName: entity.AccountId?.display };
