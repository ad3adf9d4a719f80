import { z } from "zod";
import type { Watch, WatchedChange, WatchPage } from "../connector.ts";
import { childrenOf, journalElements, versionOf } from "./children.ts";
import { listPath, longestPath, type ServiceNowClient } from "./client.ts";
import { idsPerCall, isSysId } from "./ids.ts";
import { checkedQuery, narrowed } from "./query.ts";
import type { Schemas } from "./schema.ts";
import { nextRows, type StreamPosition, type StreamSource, type StreamStep } from "./stream.ts";
import { type RawRow, stampOf, textOf } from "./values.ts";

const position = z.object({ at: z.string(), id: z.string(), seen: z.record(z.string(), z.string()) });
const cursorSchema = z.object({ v: z.literal(1), records: position, journal: position, attachments: position });
type Cursor = z.infer<typeof cursorSchema>;

interface Sources {
  readonly records: StreamSource;
  /** Absent where the table has no journal. */
  readonly journal: StreamSource | undefined;
  readonly attachments: StreamSource;
}

const recordFields = ["sys_id", "sys_mod_count", "sys_updated_on"];

/** Watches tables for changes. */
export class Watcher {
  readonly #client: ServiceNowClient;
  readonly #schemas: Schemas;
  readonly #overlapMs: number;

  constructor(client: ServiceNowClient, schemas: Schemas, overlapMs: number) {
    this.#client = client;
    this.#schemas = schemas;
    this.#overlapMs = overlapMs;
  }

  /** Fields and choices against the schema, then one row against the platform. */
  async checkQuery(watch: Watch): Promise<void> {
    await checkedQuery(this.#schemas, watch.entityType, watch.query);
    await this.#client.list({ table: watch.entityType, query: watch.query, fields: ["sys_id"], limit: 1 }, `search ${watch.entityType} with this query`);
  }

  /**
   * Three calls when nothing happened: the records by their update stamp, and journal entries and attachments by
   * themselves, since neither is sure to touch its record [K]. Two more tell the versions of what changed.
   */
  async poll(watch: Watch, cursor: string | undefined, limit: number, since: string | undefined): Promise<WatchPage> {
    // Again and not only in checkQuery: a column that was removed meanwhile would turn the query into "everything" [R].
    await checkedQuery(this.#schemas, watch.entityType, watch.query);
    const start = cursor === undefined ? this.#start(since) : parsedCursor(cursor, this.#client);
    if (start === undefined) return { changes: [], cursor: JSON.stringify(await this.#now(watch)), more: false };
    const sources = await this.#sources(watch);
    const records = await this.#advance(sources.records, start.records, limit);
    const [journal, attachments] = await this.#advanceChildren(sources, start, limit - records.rows.length);
    const next: Cursor = { v: 1, records: records.position, journal: journal.position, attachments: attachments.position };
    const seen = new Map<string, { readonly row: RawRow; readonly at: string }>();
    for (const row of records.rows) seen.set(textOf(row, "sys_id"), { row, at: textOf(row, "sys_updated_on") });
    const parents = new Map<string, string>();
    for (const row of journal.rows) parents.set(textOf(row, "element_id"), textOf(row, "sys_created_on"));
    for (const row of attachments.rows) parents.set(textOf(row, "table_sys_id"), textOf(row, "sys_created_on"));
    const unseen = [...parents.keys()].filter((id) => !seen.has(id) && isSysId(id));
    for (const row of await this.#matching(watch, unseen)) seen.set(textOf(row, "sys_id"), { row, at: parents.get(textOf(row, "sys_id")) ?? "" });
    return { changes: await this.#changes(watch, seen), cursor: JSON.stringify(next), more: records.more || journal.more || attachments.more };
  }

  /** At once when each can have a part of the room that is left; a single place goes to whichever has something. */
  async #advanceChildren(sources: Sources, from: Cursor, room: number): Promise<[StreamStep, StreamStep]> {
    if (room >= 2) {
      const half = Math.ceil(room / 2);
      return await Promise.all([
        this.#advanceChild(sources.journal, from.journal, half),
        this.#advanceChild(sources.attachments, from.attachments, room - half),
      ]);
    }
    const journal = await this.#advanceChild(sources.journal, from.journal, room);
    return [journal, await this.#advanceChild(sources.attachments, from.attachments, room - journal.rows.length)];
  }

  /** A source that is out of reach keeps its place, so nothing is missed when it comes back; the table is polled alone meanwhile. */
  async #advanceChild(source: StreamSource | undefined, from: StreamPosition, limit: number): Promise<StreamStep> {
    const step = source === undefined ? undefined : await this.#client.absences.unlessOutOfReach(source.table, () => this.#advance(source, from, limit));
    return step ?? { rows: [], position: from, more: false };
  }

  async #advance(source: StreamSource, from: StreamPosition, limit: number): Promise<StreamStep> {
    // No room left on this page: whether there is more shows the next time.
    if (limit <= 0) return { rows: [], position: from, more: true };
    return await nextRows(this.#client, source, from, limit, this.#overlapMs);
  }

  async #sources(watch: Watch): Promise<Sources> {
    const schema = await this.#schemas.table(watch.entityType);
    const classes = (await this.#schemas.classes(watch.entityType)).join(",");
    return {
      records: { table: watch.entityType, stamp: "sys_updated_on", mark: "sys_mod_count", query: watch.query, fields: [] },
      journal:
        schema.journals.size === 0
          ? undefined
          : { table: "sys_journal_field", stamp: "sys_created_on", query: `nameIN${classes}^${journalElements}`, fields: ["element_id"] },
      attachments: { table: "sys_attachment", stamp: "sys_created_on", query: `table_nameIN${classes}`, fields: ["table_sys_id"] },
    };
  }

  /** Which of these records match the trigger, in as few calls as addresses allow. */
  async #matching(watch: Watch, ids: readonly string[]): Promise<RawRow[]> {
    const rows: RawRow[] = [];
    let size = idsPerCall;
    for (let start = 0; start < ids.length; ) {
      const chunk = ids.slice(start, start + size);
      const request = { table: watch.entityType, query: `${narrowed(watch.query, `sys_idIN${chunk.join(",")}`)}^ORDERBYsys_id`, fields: recordFields };
      if (chunk.length > 1 && listPath({ ...request, limit: 1000, offset: 1000 }).length > longestPath) {
        size = Math.ceil(chunk.length / 2);
        continue;
      }
      rows.push(...(await this.#client.listAll(request)));
      start += chunk.length;
    }
    return rows;
  }

  async #changes(watch: Watch, seen: ReadonlyMap<string, { readonly row: RawRow; readonly at: string }>): Promise<WatchedChange[]> {
    if (seen.size === 0) return [];
    const schema = await this.#schemas.table(watch.entityType);
    const children = await childrenOf(this.#client, [...seen.keys()], { journal: schema.journals.size > 0, idsOnly: true, lenient: true });
    return [...seen.values()]
      .toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
      .map(({ row }) => ({ ref: { type: watch.entityType, id: textOf(row, "sys_id") }, version: versionOf(row, children) }));
  }

  #start(since: string | undefined): Cursor | undefined {
    if (since === undefined) return undefined;
    const instant = Date.parse(since);
    if (Number.isNaN(instant)) throw this.#client.error("BAD_REQUEST", { message: `“${since}” is not an instant to start from.` });
    return cursorAt(stampOf(new Date(instant)));
  }

  /** The instance's own time, learnt from an answer. */
  async #now(watch: Watch): Promise<Cursor> {
    await this.#client.list({ table: watch.entityType, query: "ORDERBYDESCsys_updated_on", fields: ["sys_id"], limit: 1 });
    return cursorAt(stampOf(this.#client.now()));
  }
}

function cursorAt(stamp: string): Cursor {
  const start = { at: stamp, id: "", seen: {} };
  return { v: 1, records: start, journal: start, attachments: start };
}

function parsedCursor(text: string, client: ServiceNowClient): Cursor {
  try {
    return cursorSchema.parse(JSON.parse(text));
  } catch {
    throw client.error("CURSOR_LOST", { message: "The position from which ServiceNow was to be read on is not one of ours." });
  }
}
