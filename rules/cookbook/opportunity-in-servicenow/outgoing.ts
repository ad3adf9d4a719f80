if (entity.entityType !== "Opportunity") skip("only opportunities travel");
if (firstSync && entity.IsClosed) skip("already closed");

replica.key = entity.key;
replica.summary = entity.Name;
replica.status = entity.StageName;
replica.custom = { amount: entity.Amount, closeDate: entity.CloseDate, account: entity.AccountId?.display };
