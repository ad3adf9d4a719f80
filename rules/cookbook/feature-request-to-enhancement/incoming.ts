if (firstSync) {
  entity.entityType = "rm_enhancement";
}

if (entity.entityType === "rm_enhancement") {
  entity.short_description = replica.summary;
  const wish = `Wished for by ${replica.custom?.customer ?? "a customer"} (case ${replica.key})`;
  entity.description = [wish, replica.description].filter(Boolean).join("\n\n");
  comments.merge(entity, replica, (comment) => {
    comment.body = comment.body.replace("#dev", "").trim();
    return comment;
  });
}
