if (entity.entityType !== "cmdb_ci_business_app") skip("only business applications travel");

// A reference gives id and name. For more, the record itself has to be read.
const owner = await lookup.get("sys_user", entity.it_application_owner?.id);

replica.key = entity.key;
replica.summary = entity.name;
replica.custom = {
  criticality: entity.business_criticality,
  owner: owner?.email,
  retired: entity.operational_status === "2",
};
