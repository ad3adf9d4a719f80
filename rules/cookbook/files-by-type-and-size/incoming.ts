const most = 10 * 1024 * 1024;
const fits = (file: RuleAttachment) => file.filesize <= most && /^(image\/|text\/|application\/pdf$)/.test(file.mimetype);

if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  entity.short_description = replica.summary;
  attachments.merge(entity, replica, fits);

  for (const file of changes.attachments.added) {
    if (!fits(file)) comments.add(`${connection.remote} has a file that does not fit here: ${file.filename}`, { internal: true });
  }
}
