if (firstSync) {
  const company = (await lookup.one("core_company", { u_salesforce_id: replica.key })) ?? (await lookup.one("core_company", { name: replica.summary }));
  // Ties to the company instead of creating one. The rule then runs once more with that company as `entity`.
  if (company) linkTo(company);
  entity.entityType = "core_company";
}

if (entity.entityType === "core_company") {
  entity.u_salesforce_id = replica.key;
  entity.name = replica.summary;
  entity.street = replica.custom?.street;
  entity.city = replica.custom?.city;
  entity.website = replica.custom?.website;
  entity.customer = true;
}
