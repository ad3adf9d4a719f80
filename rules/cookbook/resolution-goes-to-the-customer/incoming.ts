if (firstSync) {
  entity.entityType = "Case";
}

if (entity.entityType === "Case") {
  entity.Subject = replica.summary;
  const resolution = replica.custom?.resolution;
  if (resolution && changes.has("custom.resolution")) {
    comments.add(`Solved by our technicians. ${resolution}`);
    status("Closed");
  }
}
