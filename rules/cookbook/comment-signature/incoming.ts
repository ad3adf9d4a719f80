if (firstSync) {
  entity.entityType = "Case";
}

if (entity.entityType === "Case") {
  entity.Subject = replica.summary;
  comments.merge(entity, replica, (comment) => {
    const name = comment.author?.displayName ?? "somebody";
    const address = comment.author?.email ? ` <${comment.author.email}>` : "";
    const time = comment.created.slice(0, 16).replace("T", " ");
    return { body: `${name}${address}, ${time} UTC:\n${comment.body}` };
  });
}
