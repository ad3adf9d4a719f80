if (firstSync) {
  entity.entityType = "u_opportunity";
}

if (entity.entityType === "u_opportunity") {
  const { amount, closeDate, account } = replica.custom ?? {};
  entity.u_name = replica.summary;
  entity.u_stage = replica.status;
  entity.u_amount = amount;
  entity.u_close_date = closeDate;
  // An account that ServiceNow does not know leaves the company empty.
  entity.u_company = account ? ((await lookup.one("core_company", { name: account })) ?? null) : null;
  if (replica.status === "Closed Lost") unlink();
}
