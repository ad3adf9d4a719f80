if (entity.entityType === "Case") {
  replica.key = entity.key;
  replica.summary = entity.Subject;
  replica.custom = { incident: entity.ServiceNow_Number__c };
  replica.comments = entity.comments;
}
