if (entity.entityType !== "sn_customerservice_case") skip("only customer service cases travel");

replica.key = entity.number;
replica.summary = entity.short_description;
replica.description = entity.description;
replica.status = entity.display.state;
replica.comments = entity.comments;
replica.attachments = entity.attachments;
