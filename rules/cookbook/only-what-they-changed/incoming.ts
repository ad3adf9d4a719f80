if (firstSync) {
  entity.entityType = "Case";
}

if (entity.entityType === "Case") {
  // On the first sync everything is news.
  if (changes.has("summary")) entity.Subject = replica.summary;
  if (changes.has("description")) entity.Description = replica.description;
  // A dot looks inside.
  if (changes.has("custom.users")) entity.Affected_Users__c = replica.custom?.users;
}
