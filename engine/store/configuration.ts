import { sql } from "kysely";
import type { Json } from "../replica/json.ts";
import { type Db, jsonText, type Tx } from "./database.ts";
import { pollAtOnce } from "./hints.ts";
import type { MappingTables } from "./mappings.ts";
import type { AllowedWrite, ConnectionId, InstanceId, Position, Problem, SealedSecret, SideId, VersionId } from "./schema.ts";
import { Secret, type Vault } from "./secrets.ts";

export interface InstanceRow {
  readonly id: InstanceId;
  readonly name: string;
  readonly platform: string;
  readonly config: Record<string, Json>;
  readonly pollIntervalMs: number;
  readonly stopped: Problem | null;
}

/** One side of a connection with what is needed to work for it. */
export interface SideRow {
  readonly id: SideId;
  readonly connectionId: ConnectionId;
  readonly connectionName: string;
  readonly active: boolean;
  readonly position: Position;
  readonly name: string;
  readonly instanceId: InstanceId;
  readonly remote: { readonly id: SideId; readonly name: string; readonly instanceId: InstanceId };
}

export async function listInstances(db: Db | Tx): Promise<InstanceRow[]> {
  const rows = await db.selectFrom("instance").selectAll().orderBy("name").execute();
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    platform: row.platform,
    config: row.config,
    pollIntervalMs: row.poll_interval_ms,
    stopped: row.stopped,
  }));
}

export async function sealedSecretsOf(
  db: Db | Tx,
  instanceId: InstanceId,
): Promise<{ name: string; sealed: SealedSecret; fingerprint: string; given: string | null }[]> {
  return await db.selectFrom("secret").select(["name", "sealed", "fingerprint", "given"]).where("instance_id", "=", instanceId).execute();
}

export async function listSides(db: Db | Tx): Promise<SideRow[]> {
  const rows = await db
    .selectFrom("side")
    .innerJoin("connection", "connection.id", "side.connection_id")
    .innerJoin("side as remote", (join) => join.onRef("remote.connection_id", "=", "side.connection_id").onRef("remote.position", "<>", "side.position"))
    .select([
      "side.id",
      "side.connection_id as connectionId",
      "connection.name as connectionName",
      "connection.active",
      "side.position",
      "side.name",
      "side.instance_id as instanceId",
      "remote.id as remoteId",
      "remote.name as remoteName",
      "remote.instance_id as remoteInstanceId",
    ])
    .orderBy("connection.name")
    .orderBy("side.position")
    .execute();
  return rows.map(({ remoteId, remoteName, remoteInstanceId, ...side }) => ({
    ...side,
    remote: { id: remoteId, name: remoteName, instanceId: remoteInstanceId },
  }));
}

/** Says that an instance's sign-in does not work (or does again, with null). */
export async function setInstanceStopped(db: Db | Tx, instanceId: InstanceId, problem: Problem | null): Promise<void> {
  await db
    .updateTable("instance")
    .set({ stopped: problem === null ? null : jsonText(problem) })
    .where("id", "=", instanceId)
    .execute();
}

export interface ActiveRule {
  readonly versionId: VersionId;
  readonly number: number;
  readonly code: string;
  /** The side's tables of values as they are now, and their name. */
  readonly mappings: MappingTables;
  readonly mappingsHash: string | null;
  /** Fields whose values a recorded run must not show. */
  readonly redact: readonly string[];
  /** What its runs may use, where the connection says otherwise than the node. */
  readonly limits?: Readonly<Record<string, number>>;
}

/** The version that runs now. Undefined when nothing was published for this side and direction yet. */
export async function activeRule(db: Db | Tx, sideId: SideId, direction: "outgoing" | "incoming"): Promise<ActiveRule | undefined> {
  const row = await db
    .selectFrom("rule")
    .innerJoin("rule_version", "rule_version.id", "rule.active_version_id")
    .innerJoin("side", "side.id", "rule.side_id")
    .innerJoin("connection", "connection.id", "side.connection_id")
    .leftJoin("mapping_set", "mapping_set.hash", "side.mappings_hash")
    .select([
      "rule_version.id as versionId",
      "rule_version.number",
      "rule_version.code",
      "mapping_set.tables",
      "side.mappings_hash as mappingsHash",
      "side.redact",
      "connection.limits",
    ])
    .where("rule.side_id", "=", sideId)
    .where("rule.direction", "=", direction)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { tables, ...rule } = row;
  return { ...rule, mappings: tables ?? {} };
}

/** What a side's runs are given and may show, whatever version runs. */
export async function runSettings(db: Db | Tx, sideId: SideId): Promise<Pick<ActiveRule, "mappings" | "mappingsHash" | "redact" | "limits">> {
  const row = await db
    .selectFrom("side")
    .innerJoin("connection", "connection.id", "side.connection_id")
    .leftJoin("mapping_set", "mapping_set.hash", "side.mappings_hash")
    .select(["mapping_set.tables", "side.mappings_hash as mappingsHash", "side.redact", "connection.limits"])
    .where("side.id", "=", sideId)
    .executeTakeFirstOrThrow();
  return { mappings: row.tables ?? {}, mappingsHash: row.mappingsHash, redact: row.redact, limits: row.limits };
}

export interface TriggerRow {
  readonly sideId: SideId;
  readonly entityType: string;
  readonly query: string;
  readonly active: boolean;
}

export async function listTriggers(db: Db | Tx): Promise<TriggerRow[]> {
  return await db.selectFrom("watch").select(["side_id as sideId", "entity_type as entityType", "query", "active"]).where("kind", "=", "trigger").execute();
}

export async function listConnections(db: Db | Tx): Promise<
  {
    readonly id: ConnectionId;
    readonly name: string;
    readonly active: boolean;
    readonly keepRunsDays: number | null;
    readonly keepRuns: number | null;
    readonly limits: Readonly<Record<string, number>>;
  }[]
> {
  return await db
    .selectFrom("connection")
    .select(["id", "name", "active", "keep_runs_days as keepRunsDays", "keep_runs as keepRuns", "limits"])
    .orderBy("name")
    .execute();
}

/** A secret as a configuration gives it. */
interface NewSecret {
  readonly name: string;
  readonly sealed: SealedSecret;
  /** Of the text that is sealed. */
  readonly fingerprint: string;
  /** Of the text that the configuration gave. */
  readonly given: string;
  /** True when the platform has replaced what was given while it was tried. */
  readonly kept: boolean;
}

/** Makes or changes an instance, with all of its secrets. A changed one is tried again if it was stopped. */
export async function saveInstance(
  tx: Tx,
  instance: Pick<InstanceRow, "name" | "platform" | "config" | "pollIntervalMs">,
  secrets: readonly NewSecret[],
): Promise<void> {
  const values = { platform: instance.platform, config: jsonText(instance.config), poll_interval_ms: instance.pollIntervalMs };
  const { id } = await tx
    .insertInto("instance")
    .values({ name: instance.name, ...values })
    .onConflict((conflict) => conflict.column("name").doUpdateSet({ ...values, stopped: null, listens: null }))
    .returning("id")
    .executeTakeFirstOrThrow();
  // What waits for this instance need not wait for its next turn.
  await pollAtOnce(tx, id);
  await sql`update lane set ready_at = clock_timestamp() where key in (
    select lane.key from lane join side on side.connection_id = lane.connection_id
    where side.instance_id = ${id} and lane.pending > 0 and lane.locked_until is null and lane.ready_at > clock_timestamp() for update of lane skip locked)`.execute(
    tx,
  );
  await sql`update listening set start_after = clock_timestamp(), attempts = 0 where instance_id = ${id}`.execute(tx);
  const named = secrets.map(({ name }) => name);
  await sql`delete from secret where instance_id = ${id} and not kept and not name = any(${named}::text[])`.execute(tx);
  for (const { name, sealed, fingerprint, given, kept } of secrets) {
    const values = { sealed: jsonText(sealed), fingerprint, given, kept };
    await tx
      .insertInto("secret")
      .values({ instance_id: id, name, ...values })
      // What the platform put in the place of this very text goes before it.
      .onConflict((conflict) =>
        conflict
          .columns(["instance_id", "name"])
          .doUpdateSet(values)
          .where(({ not, and, eb }) => not(and([eb("secret.kept", "=", true), eb("secret.given", "is not distinct from", given)]))),
      )
      .execute();
  }
}

/** The texts of an instance's secrets, by name. Throws where the node's key is not the one that they were sealed with. */
export function openedSecrets(
  vault: Vault,
  instance: string,
  sealed: readonly { readonly name: string; readonly sealed: SealedSecret }[],
): Record<string, string> {
  return Object.fromEntries(sealed.map((secret) => [secret.name, vault.open(secret.sealed, `${instance}/${secret.name}`).reveal()]));
}

/** The secrets that the node obtained by itself, sealed. */
export async function keptSecrets(db: Db): Promise<{ instanceId: InstanceId; instance: string; name: string; sealed: SealedSecret; given: string | null }[]> {
  return await db
    .selectFrom("secret")
    .innerJoin("instance", "instance.id", "secret.instance_id")
    .select(["instance.id as instanceId", "instance.name as instance", "secret.name", "secret.sealed", "secret.given"])
    .where("secret.kept", "=", true)
    .execute();
}

/** Keeps a secret that the node obtained by itself; a configuration that is applied again leaves it alone, unless it names one of that name. */
export async function keepSecret(
  db: Db | Tx,
  vault: Vault,
  instance: { readonly id: InstanceId; readonly name: string },
  name: string,
  value: string,
): Promise<void> {
  const place = `${instance.name}/${name}`;
  const secret = new Secret(value);
  const values = { sealed: jsonText(vault.seal(secret, place)), fingerprint: vault.fingerprint(secret, place), kept: true };
  await db
    .insertInto("secret")
    .values({ instance_id: instance.id, name, given: null, ...values })
    .onConflict((conflict) => conflict.columns(["instance_id", "name"]).doUpdateSet(values))
    .execute();
}

export async function saveConnection(
  tx: Tx,
  connection: {
    readonly name: string;
    readonly active: boolean;
    readonly keepRunsDays?: number | null;
    readonly keepRuns?: number | null;
    readonly limits?: Readonly<Record<string, number>>;
  },
): Promise<ConnectionId> {
  const values = {
    active: connection.active,
    keep_runs_days: connection.keepRunsDays ?? null,
    keep_runs: connection.keepRuns ?? null,
    limits: jsonText(connection.limits ?? {}),
  };
  const { id } = await tx
    .insertInto("connection")
    .values({ name: connection.name, ...values })
    .onConflict((conflict) => conflict.column("name").doUpdateSet(values))
    .returning("id")
    .executeTakeFirstOrThrow();
  return id;
}

/** Makes a side, or renames it: its instance never changes. */
export async function saveSide(
  tx: Tx,
  side: { readonly connectionId: ConnectionId; readonly position: Position; readonly name: string; readonly instanceName: string },
): Promise<SideId> {
  const instance = await tx.selectFrom("instance").select("id").where("name", "=", side.instanceName).executeTakeFirstOrThrow();
  const { id } = await tx
    .insertInto("side")
    .values({ connection_id: side.connectionId, position: side.position, name: side.name, instance_id: instance.id })
    .onConflict((conflict) => conflict.columns(["connection_id", "position"]).doUpdateSet({ name: side.name }))
    .returning("id")
    .executeTakeFirstOrThrow();
  return id;
}

/** Says which fields' values recorded runs of a side must not show. */
export async function saveRedaction(tx: Tx, sideId: SideId, fields: readonly string[]): Promise<void> {
  await tx
    .updateTable("side")
    .set({ redact: jsonText(fields) })
    .where("id", "=", sideId)
    .execute();
}

/** Says which paths of the platform's own REST API rules of a side may write to. */
export async function saveAllowedWrites(tx: Tx, sideId: SideId, allowed: readonly AllowedWrite[]): Promise<void> {
  await tx
    .updateTable("side")
    .set({ allow: jsonText(allowed) })
    .where("id", "=", sideId)
    .execute();
}

export async function allowedWrites(db: Db | Tx, sideId: SideId): Promise<readonly AllowedWrite[]> {
  return (await db.selectFrom("side").select("allow").where("id", "=", sideId).executeTakeFirstOrThrow()).allow;
}

/** Makes a trigger, or pauses or resumes one. A new one looks from a minute ago on, because the platform's clock is not ours. */
export async function saveTrigger(tx: Tx, trigger: TriggerRow): Promise<void> {
  await tx
    .insertInto("watch")
    .values({
      side_id: trigger.sideId,
      kind: "trigger",
      entity_type: trigger.entityType,
      query: trigger.query,
      active: trigger.active,
      cursor: null,
      since: sql<Date>`now() - interval '1 minute'`,
      locked_until: null,
      owner: null,
      problem: null,
    })
    .onConflict((conflict) => conflict.columns(["side_id", "kind", "entity_type", "query"]).doUpdateSet({ active: trigger.active }))
    .execute();
}
