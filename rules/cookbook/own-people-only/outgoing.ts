const ourDomains = ["service.example", "helpdesk.example"];

if (entity.entityType === "Case") {
  replica.key = entity.key;
  replica.summary = entity.Subject;
  replica.comments = entity.comments.filter((comment) => {
    const domain = comment.author?.email?.toLowerCase().split("@")[1];
    return domain !== undefined && ourDomains.includes(domain);
  });
}
