if (firstSync) {
  entity.entityType = "Case";
  // The new case's own number goes back without waiting for its next change.
  syncBack();
}

if (entity.entityType === "Case") {
  entity.Subject = replica.summary;
  entity.ServiceNow_Number__c = replica.key;
  entity.ServiceNow_Url__c = replica.custom?.url;
  if (firstSync) comments.add(`Our technicians work on this as ${replica.key}.`);
}
