if (entity.entityType !== "sc_req_item") skip("only requested items travel");

const question = "sc_item_option.item_option_new.question_text";
const value = "sc_item_option.value";
const query = `request_item=${entity.entityRef?.id}^ORDERBYsc_item_option.order`;
const answer = await platform.get(`/api/now/table/sc_item_option_mtom?sysparm_query=${encodeURIComponent(query)}&sysparm_fields=${question},${value}`);

const form = {};
for (const row of answer.result) {
  if (row[value] !== "" && !/confidential/i.test(row[question])) form[row[question]] = row[value];
}

replica.key = entity.number;
replica.summary = entity.short_description;
replica.custom = { form };
