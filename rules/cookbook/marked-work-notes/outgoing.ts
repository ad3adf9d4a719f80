const mark = "[share]";

if (entity.entityType === "incident") {
  replica.key = entity.number;
  replica.summary = entity.short_description;
  replica.comments = entity.internalComments
    .filter((note) => note.body.startsWith(mark))
    .map((note) => ({ ...note, body: note.body.slice(mark.length).trim() }));
}
