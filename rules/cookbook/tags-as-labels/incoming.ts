if (firstSync) {
  entity.entityType = "incident";
}

if (entity.entityType === "incident") {
  entity.short_description = replica.summary;

  // What they had sent before and send no more goes; what was added here stays.
  const present = (entity.u_labels ?? "").split(" ").filter((label) => label !== "");
  const own = present.filter((label) => !previous?.labels?.includes(label));
  entity.u_labels = [...new Set([...own, ...(replica.labels ?? [])])].join(" ");
}
