if (entity.entityType === "Case") {
  const emails = await lookup.many("EmailMessage", { ParentId: entity.entityRef?.id }, 100);

  replica.key = entity.key;
  replica.summary = entity.Subject;
  replica.comments = [...entity.comments, ...emails.map(asComment)].sort((a, b) => a.created.localeCompare(b.created));
}

function asComment(email: FoundRecord): RuleComment {
  const words = email.TextBody ?? text.toPlain(email.HtmlBody, "html");
  return {
    id: email.entityRef.id,
    body: `${email.Incoming ? "From" : "To"} ${email.Incoming ? email.FromAddress : email.ToAddress}: ${email.Subject}\n\n${words.slice(0, 3500)}`,
    internal: false,
    author: null,
    created: email.MessageDate,
    updated: email.MessageDate,
  };
}
