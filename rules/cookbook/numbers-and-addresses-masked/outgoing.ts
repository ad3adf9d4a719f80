if (entity.entityType === "Case") {
  replica.key = entity.key;
  replica.summary = masked(entity.Subject);
  replica.description = masked(entity.Description);
  // New objects: the record itself is read-only. Authors stay at home too, for their addresses.
  replica.comments = entity.comments.map((comment) => ({ ...comment, body: masked(comment.body), author: null }));
}

function masked(text: string | null) {
  return (text ?? "").replace(/\b(?:\d[ -]?){9,15}(\d{4})\b/g, "**** $1").replace(/[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g, "[e-mail removed]");
}
