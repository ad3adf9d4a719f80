if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  const custom = replica.custom ?? {};
  entity.short_description = replica.summary;
  entity.u_cost_center = custom.costCenter;
  entity.u_affected_users = custom.affectedUsers;
  entity.u_affected_since = custom.affectedSince;
  entity.u_workaround_known = custom.workaround;
}
