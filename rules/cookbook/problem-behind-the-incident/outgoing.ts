if (entity.entityType === "incident") {
  const problem = await lookup.get("problem", entity.problem_id?.id);

  replica.key = entity.number;
  replica.summary = entity.short_description;
  replica.links = problem ? [{ type: "caused by", key: problem.key, state: problem.display.state, workaround: problem.known_error }] : [];
}
