if (firstSync) {
  entity.entityType = "Case";
}

if (entity.entityType === "Case") {
  entity.Subject = replica.summary;

  const { email, displayName } = replica.reporter ?? {};
  const contact = email ? await lookup.one("Contact", { Email: email }) : undefined;
  if (contact) {
    entity.ContactId = contact;
    entity.AccountId = contact.AccountId;
  } else {
    entity.SuppliedName = displayName ?? null;
    entity.SuppliedEmail = email ?? null;
  }
}
