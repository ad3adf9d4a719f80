const { accountId, accountName } = replica.custom ?? {};
if (!accountId) fail(`Case ${replica.key} has no account; give it one in Salesforce.`);

const company = await lookup.one("core_company", { u_salesforce_id: accountId });
if (!company) fail(`No company has the Salesforce id ${accountId} (${accountName}). Add it to the company and retry.`);

if (firstSync) {
  entity.entityType = "sn_customerservice_case";
}
if (entity.entityType === "sn_customerservice_case") {
  entity.account = company;
  entity.short_description = replica.summary;
  entity.description = replica.description;
}
