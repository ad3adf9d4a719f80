if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  entity.short_description = replica.summary;

  // A priority without a row gives undefined, which leaves the field as it is.
  entity.impact = mapping("impact", replica.priority);
  entity.urgency = mapping("urgency", replica.priority);
}
