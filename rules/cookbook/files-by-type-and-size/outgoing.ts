const programs = /\.(exe|bat|cmd|js|vbs|ps1|msi)$/i;

if (entity.entityType === "Case") {
  replica.key = entity.key;
  replica.summary = entity.Subject;
  replica.attachments = entity.attachments.filter((file) => !programs.test(file.filename));
}
