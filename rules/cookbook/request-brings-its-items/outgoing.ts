replica.type = entity.entityType;
replica.key = entity.key;

if (entity.entityType === "sc_request") {
  replica.summary = entity.short_description;
  if (firstSync) {
    for (const item of await lookup.many("sc_req_item", { request: entity.entityRef?.id })) startSync(item);
  }
}

if (entity.entityType === "sc_req_item") {
  replica.summary = entity.short_description;
  replica.parent = entity.request?.id;
}
