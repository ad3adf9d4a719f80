import { type ExpressionBuilder, sql } from "kysely";
import type { Json } from "../replica/json.ts";
import type { Db } from "./database.ts";
import type { AllowedWrite, Database, Direction, Problem } from "./schema.ts";

/** What lists are asked for: at most `limit` items after the one that `after` points at. */
export interface PageOf {
  readonly limit: number;
  /** The number or name of the last item of the page before. */
  readonly after?: string;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Ask with this as `after` for the next page; null at the end. */
  readonly next: string | null;
}

/** Reads one row more than asked for, to know whether there is a next page without counting. */
async function page<Item>(of: PageOf, read: (limit: number) => Promise<Item[]>, position: (item: Item) => string | number): Promise<Page<Item>> {
  const rows = await read(of.limit + 1);
  const items = rows.slice(0, of.limit);
  const last = items.at(-1);
  return { items, next: rows.length > of.limit && last !== undefined ? String(position(last)) : null };
}

/** By name; with `only`, that one alone. */
export async function instancePage(db: Db, of: PageOf, only?: string) {
  return await page(
    of,
    async (limit) =>
      await db
        .selectFrom("instance")
        .select(["name", "platform", "config", "poll_interval_ms as pollIntervalMs", "stopped", "created_at as createdAt"])
        .where("name", ">", of.after ?? "")
        .$if(only !== undefined, (query) => query.where("name", "=", only ?? ""))
        .orderBy("name")
        .limit(limit)
        .execute(),
    (item) => item.name,
  );
}

/** How it stands with an instance's events; null where nobody ever listened. */
export async function eventsOf(db: Db, instance: string): Promise<{ readonly heardAt: Date | null; readonly problem: Problem | null } | null> {
  const row = await db
    .selectFrom("listening")
    .innerJoin("instance", "instance.id", "listening.instance_id")
    .select(["listening.heard_at as heardAt", "listening.problem"])
    .where("instance.name", "=", instance)
    .executeTakeFirst();
  return row ?? null;
}

/** By name; with `only`, that one alone. */
export async function connectionPage(db: Db, of: PageOf, only?: string) {
  return await page(
    of,
    async (limit) =>
      await db
        .selectFrom("connection")
        .select(({ selectFrom }) => [
          "connection.name",
          "connection.active",
          "connection.created_at as createdAt",
          "connection.limits",
          selectFrom("side")
            .innerJoin("instance", "instance.id", "side.instance_id")
            .whereRef("side.connection_id", "=", "connection.id")
            .select(
              sql<
                { position: "left" | "right"; name: string; instance: string; allow: AllowedWrite[] }[]
              >`json_agg(json_build_object('position', side.position, 'name', side.name, 'instance', instance.name, 'allow', side.allow) order by side.position)`.as(
                "sides",
              ),
            )
            .as("sides"),
          selectFrom("twin")
            .whereRef("twin.connection_id", "=", "connection.id")
            .where("twin.state", "=", "tied")
            .select(({ fn }) => fn.countAll<number>().as("count"))
            .as("twins"),
          selectFrom("failure")
            .whereRef("failure.connection_id", "=", "connection.id")
            .where("failure.resolved_at", "is", null)
            .select(({ fn }) => fn.countAll<number>().as("count"))
            .as("openFailures"),
        ])
        .where("connection.name", ">", of.after ?? "")
        .$if(only !== undefined, (query) => query.where("connection.name", "=", only ?? ""))
        .orderBy("connection.name")
        .limit(limit)
        .execute(),
    (item) => item.name,
  );
}

export interface RuleFilter {
  readonly connection?: string | undefined;
  readonly side?: string | undefined;
  readonly direction?: Direction | undefined;
}

/** What the last look at the live schema found about an active version. */
const lastLook = sql<{
  checkedAt: string;
  changed: boolean;
  breaks: number;
  problem: Problem | null;
} | null>`(select json_build_object('checkedAt', drift.checked_at,
  'changed', drift.changed, 'breaks', jsonb_array_length(drift.breaks), 'problem', drift.problem) from drift
  where drift.side_id = rule_version.side_id and drift.direction = rule_version.direction and drift.version_id = rule_version.id and rule.active_version_id = rule_version.id)`;

/** Rules that run now, or with `versions` every version, oldest first. */
export async function rulePage(db: Db, of: PageOf, filter: RuleFilter & { readonly versions: boolean }) {
  return await page(
    of,
    async (limit) => {
      let query = db
        .selectFrom("rule_version")
        .innerJoin("side", "side.id", "rule_version.side_id")
        .innerJoin("connection", "connection.id", "side.connection_id")
        .innerJoin("rule", (join) => join.onRef("rule.side_id", "=", "rule_version.side_id").onRef("rule.direction", "=", "rule_version.direction"))
        .select([
          "rule_version.id",
          "connection.name as connection",
          "side.name as side",
          "rule_version.direction",
          "rule_version.number",
          "rule_version.note",
          "rule_version.author",
          "rule_version.created_at as createdAt",
          sql<boolean>`rule.active_version_id = rule_version.id`.as("active"),
          lastLook.as("drift"),
        ])
        .orderBy("rule_version.id")
        .limit(limit);
      // A position that is no id is the start: ids are compared as what they are.
      if (of.after !== undefined) query = query.where(sql<boolean>`rule_version.id > ${of.after}::uuid`);
      if (filter.connection !== undefined) query = query.where("connection.name", "=", filter.connection);
      if (filter.side !== undefined) query = query.where("side.name", "=", filter.side);
      if (filter.direction !== undefined) query = query.where("rule_version.direction", "=", filter.direction);
      if (!filter.versions) query = query.whereRef("rule.active_version_id", "=", "rule_version.id");
      return await query.execute();
    },
    (item) => item.id,
  );
}

const usedLibraries = sql<
  { name: string; number: number; id: string }[]
>`coalesce((select json_agg(json_build_object('name', library_version.library, 'number', library_version.number, 'id', library_version.id) order by library_version.library)
  from rule_version_library join library_version on library_version.id = rule_version_library.library_version_id
  where rule_version_library.rule_version_id = rule_version.id), '[]')`;

export async function ruleVersion(db: Db, id: string) {
  return await db
    .selectFrom("rule_version")
    .innerJoin("side", "side.id", "rule_version.side_id")
    .innerJoin("connection", "connection.id", "side.connection_id")
    .innerJoin("rule", (join) => join.onRef("rule.side_id", "=", "rule_version.side_id").onRef("rule.direction", "=", "rule_version.direction"))
    .select([
      "rule_version.id",
      "connection.name as connection",
      "side.name as side",
      "rule_version.direction",
      "rule_version.number",
      "rule_version.note",
      "rule_version.author",
      "rule_version.created_at as createdAt",
      "rule_version.source",
      "rule_version.declarations_hash as declarationsHash",
      "rule_version.report",
      usedLibraries.as("libraries"),
      sql<boolean>`rule.active_version_id = rule_version.id`.as("active"),
      lastLook.as("drift"),
    ])
    .where(sql<boolean>`rule_version.id = ${id}::uuid`)
    .executeTakeFirst();
}

/** By id; with `only`, that one alone. */
export async function triggerPage(db: Db, of: PageOf, only?: string) {
  return await page(
    of,
    async (limit) => {
      let query = db
        .selectFrom("watch")
        .innerJoin("side", "side.id", "watch.side_id")
        .innerJoin("connection", "connection.id", "side.connection_id")
        .select([
          "watch.id",
          "connection.name as connection",
          "side.name as side",
          "watch.entity_type as entityType",
          "watch.query",
          "watch.active",
          "watch.poll_after as nextPoll",
          "watch.problem",
        ])
        .where("watch.kind", "=", "trigger")
        .orderBy("watch.id")
        .limit(limit);
      if (only !== undefined) query = query.where(sql<boolean>`watch.id = ${only}::uuid`);
      if (of.after !== undefined) query = query.where(sql<boolean>`watch.id > ${of.after}::uuid`);
      return await query.execute();
    },
    (item) => item.id,
  );
}

export interface TwinFilter {
  readonly connection?: string | undefined;
  /** Key or id of either record. */
  readonly key?: string | undefined;
  readonly id?: string | undefined;
}

export interface TwinItem {
  readonly id: string;
  readonly number: number;
  readonly connection: string;
  readonly state: "candidate" | "tied" | "ended";
  readonly createdAt: Date;
  /** What its rule waits for, if it does: the side whose rule it is, and the key of the other side's record. */
  readonly waitingFor: { readonly side: string; readonly remoteKey: string } | null;
  readonly sides: readonly TwinItemSide[];
}

export interface TwinItemSide {
  readonly side: string;
  readonly entityType: string | null;
  readonly entityId: string | null;
  readonly key: string | null;
  readonly url: string | null;
  /** True when other twins are tied to the same record. */
  readonly shared: boolean;
  readonly sentSequence: number;
  readonly receivedSequence: number;
}

const twinSides = sql<
  TwinItemSide[]
>`(select json_agg(json_build_object('side', side.name, 'entityType', twin_side.entity_type, 'entityId', twin_side.entity_id,
  'key', twin_side.entity_key, 'url', twin_side.entity_url,
  'shared', exists (select 1 from twin_side as other where other.side_id = twin_side.side_id and other.entity_type = twin_side.entity_type
    and other.entity_id = twin_side.entity_id and other.shared and other.active and twin_side.active),
  'sentSequence', twin_side.sent_sequence, 'receivedSequence', twin_side.received_sequence) order by side.position)
  from twin_side join side on side.id = twin_side.side_id where twin_side.twin_id = twin.id)`;

// A twin's lane goes by its id.
const waitingFor = sql<TwinItem["waitingFor"]>`(select json_build_object('side', side.name, 'remoteKey', lane.waiting_for)
  from lane join side on side.id = lane.waiting_side where lane.key = 'twin:' || twin.id and lane.waiting_for is not null)`;

/** Newest first. */
export async function twinPage(db: Db, of: PageOf, filter: TwinFilter): Promise<Page<TwinItem>> {
  return await page(
    of,
    async (limit) => {
      let query = db
        .selectFrom("twin")
        .innerJoin("connection", "connection.id", "twin.connection_id")
        .select([
          "twin.id",
          "twin.number",
          "connection.name as connection",
          "twin.state",
          "twin.created_at as createdAt",
          twinSides.as("sides"),
          waitingFor.as("waitingFor"),
        ])
        .orderBy("twin.number", "desc")
        .limit(limit);
      if (of.after !== undefined) query = query.where("twin.number", "<", Number(of.after));
      if (filter.connection !== undefined) query = query.where("connection.name", "=", filter.connection);
      if (filter.id !== undefined) query = query.where(sql<boolean>`twin.id = ${filter.id}::uuid`);
      const { key } = filter;
      if (key !== undefined) {
        query = query.where("twin.id", "in", (select) =>
          select
            .selectFrom("twin_side")
            .select("twin_side.twin_id")
            .where((where: ExpressionBuilder<Database, "twin_side">) => where.or([where("entity_key", "=", key), where("entity_id", "=", key)])),
        );
      }
      return await query.execute();
    },
    (item) => item.number,
  );
}

/** The replicas of a twin, by side name: what each side last sent and received. */
export async function twinReplicas(db: Db, id: string) {
  return await db
    .selectFrom("twin_side")
    .innerJoin("side", "side.id", "twin_side.side_id")
    .select(["side.name as side", "twin_side.sent", "twin_side.received"])
    .where(sql<boolean>`twin_side.twin_id = ${id}::uuid`)
    .orderBy("side.position")
    .execute();
}

export interface MessageFilter {
  readonly connection?: string | undefined;
  readonly twin?: string | undefined;
  readonly id?: number | undefined;
}

/** Newest first; the body only when one message is asked for. */
export async function messagePage(db: Db, of: PageOf, filter: MessageFilter) {
  return await page(
    of,
    async (limit) => {
      let query = db
        .selectFrom("message")
        .innerJoin("connection", "connection.id", "message.connection_id")
        .innerJoin("side as from_side", "from_side.id", "message.from_side_id")
        .innerJoin("side as to_side", "to_side.id", "message.to_side_id")
        .select([
          "message.id",
          "connection.name as connection",
          "message.twin_id as twin",
          "from_side.name as from",
          "to_side.name as to",
          "message.sequence",
          "message.kind",
          "message.state",
          "message.reason",
          "message.created_at as createdAt",
          "message.settled_at as settledAt",
        ])
        .orderBy("message.id", "desc")
        .limit(limit);
      if (of.after !== undefined) query = query.where("message.id", "<", Number(of.after));
      if (filter.connection !== undefined) query = query.where("connection.name", "=", filter.connection);
      if (filter.twin !== undefined) query = query.where(sql<boolean>`message.twin_id = ${filter.twin}::uuid`);
      if (filter.id !== undefined) query = query.where("message.id", "=", filter.id);
      return await query.execute();
    },
    (item) => item.id,
  );
}

export async function messageBody(db: Db, id: number) {
  return (await db.selectFrom("message").select("body").where("id", "=", id).executeTakeFirst())?.body;
}

export interface RunFilter {
  readonly connection?: string | undefined;
  readonly side?: string | undefined;
  readonly direction?: Direction | undefined;
  readonly twin?: string | undefined;
  /** Key or id of either record. */
  readonly entity?: string | undefined;
  readonly outcome?: string | undefined;
  readonly version?: string | undefined;
}

/** Newest first; without input and output. */
export async function runPage(db: Db, of: PageOf, filter: RunFilter) {
  return await page(
    of,
    async (limit) => {
      let query = db
        .selectFrom("run")
        .innerJoin("connection", "connection.id", "run.connection_id")
        .innerJoin("side", "side.id", "run.side_id")
        .innerJoin("rule_version", "rule_version.id", "run.version_id")
        .select([
          "run.id",
          "run.number",
          "connection.name as connection",
          "side.name as side",
          "run.direction",
          "rule_version.number as version",
          "run.version_id as versionId",
          "run.twin_id as twin",
          "run.outcome",
          "run.reason",
          "run.cpu_ms as cpuMs",
          "run.wall_ms as wallMs",
          "run.created_at as createdAt",
        ])
        .orderBy("run.number", "desc")
        .limit(limit);
      if (of.after !== undefined) query = query.where("run.number", "<", Number(of.after));
      if (filter.connection !== undefined) query = query.where("connection.name", "=", filter.connection);
      if (filter.twin !== undefined) query = query.where(sql<boolean>`run.twin_id = ${filter.twin}::uuid`);
      if (filter.version !== undefined) query = query.where(sql<boolean>`run.version_id = ${filter.version}::uuid`);
      if (filter.side !== undefined) query = query.where("side.name", "=", filter.side);
      if (filter.direction !== undefined) query = query.where("run.direction", "=", filter.direction);
      const { entity } = filter;
      if (entity !== undefined) {
        query = query.where("run.twin_id", "in", (select) =>
          select
            .selectFrom("twin_side")
            .select("twin_side.twin_id")
            .where((where: ExpressionBuilder<Database, "twin_side">) => where.or([where("entity_key", "=", entity), where("entity_id", "=", entity)])),
        );
      }
      if (filter.outcome !== undefined) query = query.where(sql<boolean>`run.outcome = ${filter.outcome}`);
      return await query.execute();
    },
    (item) => item.number,
  );
}

/** What a run was given, asked, printed and gave back. */
export async function runRecord(db: Db, id: string) {
  return await db
    .selectFrom("run")
    .leftJoin("mapping_set", "mapping_set.hash", "run.mappings_hash")
    .innerJoin("connection", "connection.id", "run.connection_id")
    .innerJoin("side", "side.id", "run.side_id")
    .innerJoin("rule_version", "rule_version.id", "run.version_id")
    .select([
      "run.id",
      "run.number",
      "connection.name as connection",
      "side.name as side",
      "run.direction",
      "rule_version.number as version",
      "run.version_id as versionId",
      "run.twin_id as twin",
      "run.outcome",
      "run.reason",
      "run.cpu_ms as cpuMs",
      "run.wall_ms as wallMs",
      "run.created_at as createdAt",
      // Tables of values are stored once, not with each run.
      sql<Json>`case when mapping_set.tables is null then run.input else jsonb_set(run.input, '{mappings}', mapping_set.tables) end`.as("input"),
      "run.withheld",
      "run.calls",
      "run.output",
      "run.console",
      "run.error",
    ])
    .where(sql<boolean>`run.id = ${id}::uuid`)
    .executeTakeFirst();
}

export interface FailureFilter {
  readonly connection?: string | undefined;
  readonly state: "open" | "resolved" | "all";
  readonly id?: number | undefined;
}

/** Newest first. */
export async function failurePage(db: Db, of: PageOf, filter: FailureFilter) {
  return await page(
    of,
    async (limit) => {
      let query = db
        .selectFrom("failure")
        .innerJoin("connection", "connection.id", "failure.connection_id")
        .leftJoin("side", "side.id", "failure.side_id")
        .select([
          "failure.id",
          "connection.name as connection",
          "side.name as side",
          "failure.twin_id as twin",
          "failure.run_id as run",
          "failure.code",
          "failure.fault",
          "failure.message",
          "failure.advice",
          "failure.detail",
          "failure.created_at as createdAt",
          "failure.resolved_at as resolvedAt",
          "failure.resolution",
        ])
        .orderBy("failure.id", "desc")
        .limit(limit);
      if (of.after !== undefined) query = query.where("failure.id", "<", Number(of.after));
      if (filter.connection !== undefined) query = query.where("connection.name", "=", filter.connection);
      if (filter.state === "open") query = query.where("failure.resolved_at", "is", null);
      if (filter.state === "resolved") query = query.where("failure.resolved_at", "is not", null);
      if (filter.id !== undefined) query = query.where("failure.id", "=", filter.id);
      return await query.execute();
    },
    (item) => item.id,
  );
}

/** Figures for health and metrics; each is answered by an index. */
export async function backlog(db: Db) {
  const lanes = await sql<{ waiting: number; held: number; blocked: number; jobs: number }>`select
    count(*) filter (where blocked_by is null and locked_until is null)::integer as waiting,
    count(*) filter (where locked_until is not null)::integer as held,
    count(*) filter (where blocked_by is not null)::integer as blocked,
    coalesce(sum(pending), 0)::integer as jobs from lane where pending > 0`.execute(db);
  const failures = await db
    .selectFrom("failure")
    .select(({ fn }) => fn.countAll<number>().as("open"))
    .where("resolved_at", "is", null)
    .executeTakeFirst();
  return { waiting: 0, held: 0, blocked: 0, jobs: 0, ...lanes.rows[0], openFailures: failures?.open ?? 0 };
}
