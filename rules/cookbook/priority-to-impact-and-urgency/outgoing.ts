if (entity.entityType === "Case") {
  replica.key = entity.key;
  replica.summary = entity.Subject;
  replica.priority = entity.Tags__c?.includes("VIP") ? "Urgent" : entity.Priority;
}
