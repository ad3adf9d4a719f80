if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  entity.short_description = replica.summary;

  const { system, company } = replica.custom ?? {};
  const [items, companies] = await Promise.all([
    system ? lookup.many("cmdb_ci", { name: system }, 2) : [],
    company ? lookup.many("core_company", { name: company }, 2) : [],
  ]);
  entity.cmdb_ci = only(items, system);
  entity.company = only(companies, company);
}

function only(found: FoundRecord[], name: string | undefined) {
  if (found.length === 1) return found[0];
  if (name) console.log(`${found.length === 0 ? "nothing is" : "more than one is"} called`, name);
  return null;
}
