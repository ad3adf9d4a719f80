if (entity.entityType === "Case") {
  replica.key = entity.key;
  replica.summary = entity.Subject;
  replica.custom = { system: entity.Product_Area__c, company: entity.AccountId?.display };
}
