import { z } from "zod";
import type { Watch, WatchedChange, WatchPage } from "../connector.ts";
import { variableRecord, variableSource, variableStamp } from "./catalog-variables.ts";
import { childKinds, childrenOf, journalElements, versionOf } from "./children.ts";
import { type ListRequest, listPath, longestPath, type ServiceNowClient } from "./client.ts";
import { namingClosedFields } from "./closed-fields.ts";
import { requireFiltering } from "./counting.ts";
import { idsPerCall, inChunks, isSysId } from "./ids.ts";
import { checkedQuery, narrowed } from "./query.ts";
import type { Schemas } from "./schema.ts";
import { firstPage, nextRows, Room, type StreamPosition, type StreamSource, type StreamStep } from "./stream.ts";
import { type RawRow, stampOf, textOf } from "./values.ts";

const position = z.object({ at: z.string(), id: z.string(), seen: z.record(z.string(), z.string()) });
const cursorSchema = z.object({
  v: z.literal(1),
  records: position,
  journal: position,
  attachments: position,
  // Later than the others: cursors that were stored before are without them.
  deletions: position.optional(),
  variables: position.optional(),
  /** Records deleted lately, newest last: restoring one need not move its stamp. */
  gone: z.array(z.string()).default([]),
});
type Cursor = z.infer<typeof cursorSchema>;

type SourceName = "records" | "journal" | "attachments" | "deletions" | "variables";
/** Absent = the table has none. */
type Sources = { readonly records: StreamSource } & Readonly<Partial<Record<SourceName, StreamSource>>>;
const childNames = ["journal", "attachments", "deletions", "variables"] as const;
/** Deleted records that are looked for again: as many as one `IN` takes. */
const mostGone = 100;

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

  /** Fields and choices against the schema, then the query as a whole against the platform, and whether it filters at all. */
  async checkQuery(watch: Watch): Promise<void> {
    const query = await checkedQuery(this.#schemas, watch.entityType, watch.query);
    const request = { table: watch.entityType, query: watch.query, fields: ["sys_id"], limit: 1 };
    await this.#client.list(request, `search ${watch.entityType} with this query`).catch(async (error: unknown) => {
      throw await namingClosedFields(this.#client, watch.entityType, query, error);
    });
    await requireFiltering(this.#client, await this.#schemas.table(watch.entityType), watch.query, query);
  }

  /**
   * One call when nothing happened, a batch: the records by their update stamp; journal entries, attachments and catalog
   * variables by themselves, since neither is sure to touch its record [K]; and what the instance wrote down as deleted. A
   * second one tells the versions of what changed.
   */
  async poll(watch: Watch, cursor: string | undefined, limit: number, since: string | undefined): Promise<WatchPage> {
    // Again and not only in checkQuery: a column that was removed meanwhile would turn the query into "everything" [R].
    await checkedQuery(this.#schemas, watch.entityType, watch.query);
    const start = cursor === undefined ? this.#start(since) : parsedCursor(cursor, this.#client);
    if (start === undefined) return { changes: [], cursor: JSON.stringify(await this.#now(watch)), more: false };
    const sources = await this.#sources(watch);
    const room = new Room(limit);
    const [steps, restored] = await Promise.all([this.#steps(sources, start, room), this.#matching(watch, start.gone)]);
    const { records, journal, attachments, deletions, variables } = steps;
    const seen = new Map<string, { readonly row: RawRow; readonly at: string }>();
    for (const row of restored) seen.set(textOf(row, "sys_id"), { row, at: "" });
    for (const row of records?.rows ?? []) seen.set(textOf(row, "sys_id"), { row, at: textOf(row, "sys_updated_on") });
    const tombstones = new Map((deletions?.rows ?? []).map((row) => [textOf(row, "documentkey"), textOf(row, "sys_created_on")]));
    const parents = new Map(tombstones);
    for (const row of journal?.rows ?? []) parents.set(textOf(row, "element_id"), textOf(row, "sys_created_on"));
    for (const row of attachments?.rows ?? []) parents.set(textOf(row, "table_sys_id"), textOf(row, "sys_created_on"));
    for (const row of variables?.rows ?? []) parents.set(textOf(row, variableRecord), textOf(row, variableStamp));
    const unseen = [...parents.keys()].filter((id) => !seen.has(id) && isSysId(id));
    const [matching, present] = await Promise.all([this.#matching(watch, unseen), this.#present(watch, [...tombstones.keys()])]);
    for (const row of matching) seen.set(textOf(row, "sys_id"), { row, at: parents.get(textOf(row, "sys_id")) ?? "" });
    const deleted = [...tombstones].filter(([id]) => !present.has(id) && !seen.has(id));
    const at = new Map([...deleted, ...[...seen].map(([id, entry]) => [id, entry.at] as const)]);
    const changes = [
      ...(await this.#changes(watch, seen)),
      ...deleted.map(([id, stamp]): WatchedChange => ({ ref: { type: watch.entityType, id }, version: `deleted.${stamp.replace(/\D/g, "")}`, deleted: true })),
    ].toSorted((a, b) => compared(at.get(a.ref.id) ?? "", at.get(b.ref.id) ?? ""));
    const next: Cursor = {
      v: 1,
      records: records?.position ?? start.records,
      journal: journal?.position ?? start.journal,
      attachments: attachments?.position ?? start.attachments,
      deletions: deletions?.position ?? start.deletions ?? start.records,
      variables: variables?.position ?? start.variables ?? start.records,
      gone: [...new Set([...start.gone, ...deleted.map(([id]) => id)])].filter((id) => !seen.has(id)).slice(-mostGone),
    };
    return { changes, cursor: JSON.stringify(next), more: Object.values(steps).some(({ more }) => more) };
  }

  /** The first pages of all sources are asked for at once; they are worked through one after the other, while there is room. */
  async #steps(sources: Sources, from: Cursor, room: Room): Promise<Readonly<Partial<Record<SourceName, StreamStep>>>> {
    const { absences } = this.#client;
    const asked = childNames.map((name) => {
      const source = sources[name];
      const position = from[name] ?? startOf(from.records.at);
      return { name, source, position, first: source && absences.unlessOutOfReach(source.table, () => firstPage(this.#client, source, position, room.limit)) };
    });
    const pages = await Promise.all([firstPage(this.#client, sources.records, from.records, room.limit), ...asked.map(({ first }) => first)]);
    const steps: Partial<Record<SourceName, StreamStep>> = {
      records: await nextRows(this.#client, sources.records, from.records, pages[0], room, this.#overlapMs),
    };
    for (const [index, { name, source, position }] of asked.entries()) {
      const first = pages[index + 1];
      // A source that is out of reach keeps its place, so nothing is missed when it comes back.
      if (source === undefined || first === undefined) continue;
      const step = await absences.unlessOutOfReach(source.table, () => nextRows(this.#client, source, position, first, room, this.#overlapMs));
      if (step !== undefined) steps[name] = step;
    }
    return steps;
  }

  async #sources(watch: Watch): Promise<Sources> {
    const schema = await this.#schemas.table(watch.entityType);
    const classes = (await this.#schemas.classes(watch.entityType)).join(",");
    const sources: Record<SourceName, StreamSource> = {
      records: { table: watch.entityType, stamp: "sys_updated_on", record: "sys_id", mark: "sys_mod_count", query: watch.query },
      journal: { table: "sys_journal_field", stamp: "sys_created_on", record: "element_id", query: `nameIN${classes}^${journalElements}` },
      attachments: { table: "sys_attachment", stamp: "sys_created_on", record: "table_sys_id", query: `table_nameIN${classes}` },
      deletions: { table: "sys_audit_delete", stamp: "sys_created_on", record: "documentkey", query: `tablenameIN${classes}` },
      variables: variableSource,
    };
    const { journal, variables, ...always } = sources;
    return { ...always, ...(schema.journals.size === 0 ? {} : { journal }), ...(schema.catalogVariables ? { variables } : {}) };
  }

  /** Which of these records match the trigger, in as few calls as addresses allow. */
  async #matching(watch: Watch, ids: readonly string[]): Promise<RawRow[]> {
    const requests: Omit<ListRequest, "limit">[] = [];
    let size = idsPerCall;
    for (let start = 0; start < ids.length; ) {
      const chunk = ids.slice(start, start + size);
      const request = { table: watch.entityType, query: `${narrowed(watch.query, `sys_idIN${chunk.join(",")}`)}^ORDERBYsys_id`, fields: recordFields };
      if (chunk.length > 1 && listPath({ ...request, limit: 1000, offset: 1000 }).length > longestPath) {
        size = Math.ceil(chunk.length / 2);
        continue;
      }
      requests.push(request);
      start += chunk.length;
    }
    return (await Promise.all(requests.map((request) => this.#client.listAll(request)))).flat();
  }

  /** Which of these records are there, whether or not they match the trigger. */
  async #present(watch: Watch, ids: readonly string[]): Promise<ReadonlySet<string>> {
    const asked = inChunks(ids.filter(isSysId)).map((chunk) =>
      this.#client.listAll({ table: watch.entityType, query: `sys_idIN${chunk.join(",")}^ORDERBYsys_id`, fields: ["sys_id"] }),
    );
    return new Set((await Promise.all(asked)).flat().map((row) => textOf(row, "sys_id")));
  }

  async #changes(watch: Watch, seen: ReadonlyMap<string, { readonly row: RawRow; readonly at: string }>): Promise<WatchedChange[]> {
    if (seen.size === 0) return [];
    const schema = await this.#schemas.table(watch.entityType);
    const children = await childrenOf(this.#client, [...seen.keys()], { ...childKinds(schema), idsOnly: true, lenient: true });
    return [...seen.values()].map(({ row }) => ({ ref: { type: watch.entityType, id: textOf(row, "sys_id") }, version: versionOf(row, children) }));
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
  const start = startOf(stamp);
  return { v: 1, records: start, journal: start, attachments: start, deletions: start, variables: start, gone: [] };
}

function startOf(stamp: string): StreamPosition {
  return { at: stamp, id: "", seen: {} };
}

function compared(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function parsedCursor(text: string, client: ServiceNowClient): Cursor {
  try {
    return cursorSchema.parse(JSON.parse(text));
  } catch {
    throw client.error("CURSOR_LOST", { message: "The position from which ServiceNow was to be read on is not one of ours." });
  }
}
