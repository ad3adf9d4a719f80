if (firstSync) {
  entity.entityType = "Business_Application__c";
}

if (entity.entityType === "Business_Application__c") {
  entity.Name = replica.summary;
  entity.Criticality__c = mapping("criticality", replica.custom?.criticality, null);
  entity.Owner_Email__c = replica.custom?.owner ?? null;
  entity.Retired__c = replica.custom?.retired === true;
}
