const ours = ["Needs triage"];

if (entity.entityType === "Case") {
  replica.key = entity.key;
  replica.summary = entity.Subject;
  replica.labels = (entity.Tags__c ?? []).filter((tag) => !ours.includes(tag)).map((tag) => tag.replaceAll(" ", "_"));
}
