if (entity.entityType !== "Account") skip("only accounts travel");
if (entity.Type === "Prospect") skip("not a customer yet");

replica.key = entity.Id;
replica.summary = entity.Name;
replica.custom = { street: entity.BillingStreet, city: entity.BillingCity, website: entity.Website };
