const words = /\b(reopen|still (broken|down|not working)|happens again)\b/i;

if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  entity.short_description = replica.summary;
  comments.merge(entity, replica);

  const asks = changes.comments.added.some((comment) => words.test(comment.body));
  if (asks && entity.display.state === "Resolved") status("In Progress");
}
