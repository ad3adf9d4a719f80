if (entity.entityType === "Case") {
  const [account, contact] = await Promise.all([lookup.get("Account", entity.AccountId?.id), lookup.get("Contact", entity.ContactId?.id)]);

  replica.key = entity.key;
  replica.summary = entity.Subject;
  replica.custom = {
    context: [
      account && `Account: ${account.Name} (${account.Type ?? "no type"})`,
      account?.Industry && `Industry: ${account.Industry}`,
      account?.NumberOfEmployees && `Employees: ${account.NumberOfEmployees}`,
      contact && `Contact: ${contact.Name}, ${contact.Phone ?? "no phone"}`,
    ].filter(Boolean),
  };
}
