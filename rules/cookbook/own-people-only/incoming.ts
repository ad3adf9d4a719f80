if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  entity.short_description = replica.summary;
  // The third party sees a name, as it would on a letter; who works here is nobody's business.
  comments.merge(entity, replica, (comment) => ({ body: `${connection.remote}: ${comment.body}` }));
}
