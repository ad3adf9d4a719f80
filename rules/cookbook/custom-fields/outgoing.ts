if (entity.entityType === "Case") {
  replica.key = entity.key;
  replica.summary = entity.Subject;
  replica.custom = {
    costCenter: entity.Cost_Center__c,
    affectedUsers: entity.Affected_Users__c,
    affectedSince: entity.Affected_Since__c,
    workaround: entity.Workaround_Known__c,
  };
}
