import { boolean, longText, type ObjectDefinition, owner, picklist, readOnly, reference, string } from "./definitions.ts";

const required = { nillable: false } as const;

/** Leads and opportunities, as a sales team has them beside its cases; key prefixes as on the platform [K]. */
const salesObjects: readonly ObjectDefinition[] = [
  {
    name: "Lead",
    labelPlural: "Leads",
    keyPrefix: "00Q",
    feedEnabled: true,
    fields: [
      string("LastName", "Last Name", 80, required),
      string("FirstName", "First Name", 40),
      string("Name", "Full Name", 121, { ...readOnly, ...required, nameField: true }),
      string("Company", "Company", 255, required),
      { name: "Email", label: "Email", type: "email", length: 80, idLookup: true },
      { name: "Phone", label: "Phone", type: "phone", length: 40 },
      picklist(
        "Status",
        "Lead Status",
        [{ value: "Open - Not Contacted", isDefault: true }, "Working - Contacted", "Closed - Converted", "Closed - Not Converted"],
        {
          nillable: false,
          defaultedOnCreate: true,
        },
      ),
      picklist("LeadSource", "Lead Source", ["Web", "Phone Inquiry", "Partner Referral", "Other"]),
      longText("Description", "Description"),
      boolean("IsConverted", "Converted", { ...readOnly }),
      reference("MasterRecordId", "Master Record ID", ["Lead"], { ...readOnly }),
      owner("Group", "User"),
    ],
  },
  {
    name: "Opportunity",
    labelPlural: "Opportunities",
    keyPrefix: "006",
    feedEnabled: true,
    fields: [
      string("Name", "Name", 120, { ...required, nameField: true }),
      reference("AccountId", "Account ID", ["Account"], { childRelationshipName: "Opportunities" }),
      picklist("StageName", "Stage", ["Prospecting", "Qualification", "Negotiation/Review", "Closed Won", "Closed Lost"], required),
      { name: "CloseDate", label: "Close Date", type: "date", nillable: false },
      { name: "Amount", label: "Amount", type: "currency", scale: 2 },
      { name: "Probability", label: "Probability (%)", type: "percent", scale: 0 },
      longText("Description", "Description"),
      boolean("IsClosed", "Closed", { ...readOnly }),
      owner("User"),
    ],
  },
];

/** What an administrator sets up: profiles, members of queues, and what is told by the Streaming API. */
const setupObjects: readonly ObjectDefinition[] = [
  {
    name: "Profile",
    labelPlural: "Profiles",
    keyPrefix: "00e",
    createable: false,
    deletable: false,
    fields: [string("Name", "Name", 255, { ...required, nameField: true })],
  },
  {
    name: "GroupMember",
    labelPlural: "Group Members",
    keyPrefix: "011",
    fields: [
      reference("GroupId", "Group ID", ["Group"], { ...required, updateable: false }),
      reference("UserOrGroupId", "User/Group ID", ["Group", "User"], { ...required, updateable: false }),
    ],
  },
  {
    name: "QueueSobject",
    labelPlural: "Queue Sobjects",
    keyPrefix: "03g",
    fields: [
      reference("QueueId", "Group ID", ["Group"], { ...required, updateable: false, relationshipName: "Queue" }),
      picklist("SobjectType", "Sobject Type", ["Case", "Lead"], required),
    ],
  },
  {
    name: "PushTopic",
    labelPlural: "Push Topics",
    keyPrefix: "0IF",
    fields: [
      string("Name", "Topic Name", 25, { ...required, nameField: true, unique: true }),
      longText("Query", "SOQL Query", 1300, required),
      { name: "ApiVersion", label: "API Version", type: "double", scale: 1, nillable: false },
      boolean("IsActive", "Is Active", { defaultValue: true }),
      picklist("NotifyForFields", "Notify For Fields", [{ value: "Referenced", isDefault: true }, "Select", "Where", "All"], {
        restricted: true,
        nillable: false,
        defaultedOnCreate: true,
      }),
      boolean("NotifyForOperationCreate", "Create", { defaultValue: true }),
      boolean("NotifyForOperationUpdate", "Update", { defaultValue: true }),
      boolean("NotifyForOperationDelete", "Delete", { defaultValue: true }),
      boolean("NotifyForOperationUndelete", "Undelete", { defaultValue: true }),
      longText("Description", "Description", 400),
    ],
  },
  {
    name: "StreamingChannel",
    labelPlural: "Streaming Channels",
    keyPrefix: "0M6",
    fields: [string("Name", "Streaming Channel Name", 80, { ...required, nameField: true, unique: true }), longText("Description", "Description", 255)],
  },
];

/** Objects beside those that service teams use. */
export const moreObjects: readonly ObjectDefinition[] = [...salesObjects, ...setupObjects];
