if (entity.entityType === "incident") {
  const words = entity.comments.map((comment) => comment.body.toLowerCase()).join("\n");

  replica.key = entity.number;
  replica.summary = entity.short_description;
  replica.comments = entity.comments;
  replica.attachments = entity.attachments.filter((file) => words.includes(file.filename.toLowerCase()));
}
