if (firstSync) {
  entity.entityType = "Case";
}

if (entity.entityType === "Case") {
  entity.Subject = replica.summary;

  const cause = replica.links?.find((link) => link.type === "caused by");
  entity.ServiceNow_Number__c = cause ? `${cause.key} (${cause.state})` : null;
  entity.Workaround_Known__c = cause?.workaround === true;
}
