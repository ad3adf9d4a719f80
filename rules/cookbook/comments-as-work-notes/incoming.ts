if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  entity.short_description = replica.summary;
  comments.merge(entity, replica, (comment) => {
    const isForCaller = comment.body.startsWith("!");
    comment.internal = !isForCaller;
    if (isForCaller) comment.body = comment.body.slice(1).trim();
    return comment;
  });
}
