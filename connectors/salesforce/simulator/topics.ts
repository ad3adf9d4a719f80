import { ApiError } from "./api-error.ts";
import { schemaId } from "./change-events.ts";
import type { EventBus } from "./event-bus.ts";
import type { Org, Row } from "./org.ts";
import { runSoql } from "./soql-run.ts";
import type { RowChange } from "./transactions.ts";

type Kind = "created" | "updated" | "deleted" | "undeleted";

const switches = {
  created: "NotifyForOperationCreate",
  updated: "NotifyForOperationUpdate",
  deleted: "NotifyForOperationDelete",
  undeleted: "NotifyForOperationUndelete",
} as const;

/** Publishes on `/topic/<Name>` what the query of a PushTopic shows of the records that change [D]. */
export function tellTopics(org: Org, bus: EventBus): void {
  org.transactions.listen(({ changes }) => {
    const topics = [...org.rows("PushTopic")].filter(({ IsActive, IsDeleted }) => IsActive === true && IsDeleted === false);
    if (topics.length === 0) return;
    for (const change of changes) for (const topic of topics) tell(org, bus, topic, change);
  });
}

/** Publishes a platform event; the answer's id and the ticket by which its failure could be told [D]. */
export function publishPlatformEvent(
  bus: EventBus,
  name: string,
  fields: Readonly<Record<string, unknown>>,
  created: { readonly date: string; readonly by: string },
): string {
  const EventUuid = crypto.randomUUID();
  const payload = { CreatedDate: created.date, CreatedById: created.by, ...fields };
  bus.publish({ channel: `/event/${name}`, data: { schema: schemaId(name), payload, event: { EventUuid } } });
  return EventUuid;
}

/** Publishes on a generic channel: `{payload}` of each event [D]. How many were given out, and to how many. */
export function pushGeneric(bus: EventBus, channel: string, payloads: readonly unknown[], createdDate: string): void {
  for (const payload of payloads) bus.publish({ channel, data: { payload, event: { createdDate } } });
}

function tell(org: Org, bus: EventBus, topic: Row, { type, before, after }: RowChange): void {
  const query = String(topic.Query);
  const kind = kindOf(before, after);
  if (after === undefined || kind === undefined || topic[switches[kind]] !== true) return;
  if (!new RegExp(`\\bFROM\\s+${type}\\b`, "i").test(query)) return;
  const sobject = kind === "deleted" ? { Id: after.Id } : shownBy(org, query, after);
  if (sobject === undefined || (kind === "updated" && !concerns(topic, query, sobject, before, after))) return;
  bus.publish({ channel: `/topic/${String(topic.Name)}`, data: { event: { createdDate: org.clock.now().toISOString(), type: kind }, sobject } });
}

function kindOf(before: Row | undefined, after: Row | undefined): Kind | undefined {
  if (after === undefined) return undefined;
  if (before === undefined) return "created";
  if (before.IsDeleted !== after.IsDeleted) return after.IsDeleted === true ? "deleted" : "undeleted";
  return "updated";
}

/** The record as the topic's query shows it, or undefined where the query does not find it. */
function shownBy(org: Org, query: string, row: Row): Record<string, unknown> | undefined {
  const [, head = "", where] = /^(.*?\bFROM\s+\w+)(?:\s+WHERE\s+(.*))?$/is.exec(query.trim()) ?? [];
  const one = `${head} WHERE Id = '${row.Id}'${where === undefined ? "" : ` AND (${where})`}`;
  const [found] = runSoql(org, one, { deletedToo: false, version: "60.0", page: () => null }).rows;
  if (found === undefined) return undefined;
  const { attributes: _, ...sobject } = found();
  return sobject;
}

/** NotifyForFields: `All` changes, those of fields in the `Select`, the `Where`, or either of them (`Referenced`) [D]. */
function concerns(topic: Row, query: string, sobject: Readonly<Record<string, unknown>>, before: Row | undefined, after: Row): boolean {
  const which = String(topic.NotifyForFields ?? "Referenced");
  if (which === "All") return true;
  const where = /\bWHERE\b(.*)$/is.exec(query)?.[1] ?? "";
  const changed = Object.keys(after).filter((name) => after[name] !== before?.[name]);
  const inSelect = changed.some((name) => name in sobject);
  const inWhere = changed.some((name) => new RegExp(`\\b${name}\\b`, "i").test(where));
  return which === "Select" ? inSelect : which === "Where" ? inWhere : inSelect || inWhere;
}

/** Refuses a topic whose query the platform would not take: it must show the id, and know neither order nor limit [D]. */
export function assertTopic(org: Org, row: Row): void {
  const query = String(row.Query ?? "");
  if (!/^\s*SELECT\b.*\bId\b.*\bFROM\b/is.test(query))
    throw new ApiError(400, "INVALID_FIELD", "The Id field is required in the SELECT clause of a PushTopic query", ["Query"]);
  if (/\b(ORDER\s+BY|LIMIT|OFFSET|GROUP\s+BY)\b/i.test(query))
    throw new ApiError(400, "INVALID_FIELD", "ORDER BY, LIMIT, OFFSET and GROUP BY are not supported in a PushTopic query", ["Query"]);
  runSoql(org, query, { deletedToo: false, version: "60.0", page: () => null });
}
