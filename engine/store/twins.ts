import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import type { Json } from "../replica/json.ts";
import type { SideRow } from "./configuration.ts";
import { type Db, jsonText, type Tx } from "./database.ts";
import type { ConnectionId, SideId, TwinId } from "./schema.ts";

/** Points at a record, as connectors do. */
export interface RecordRef {
  readonly type: string;
  readonly id: string;
}

export interface TwinSideState {
  readonly sideId: SideId;
  readonly ref: RecordRef | null;
  readonly key: string | null;
  readonly url: string | null;
  readonly seenVersion: string | null;
  readonly sent: Json | null;
  readonly sentHash: string | null;
  readonly sentSequence: number;
  readonly replicaSequence: number;
  readonly received: Json | null;
  readonly receivedSequence: number;
}

export interface TwinState {
  readonly id: TwinId;
  readonly connectionId: ConnectionId;
  readonly state: "candidate" | "tied" | "ended";
  readonly sides: ReadonlyMap<SideId, TwinSideState>;
}

export async function loadTwins(db: Db | Tx, ids: readonly TwinId[]): Promise<Map<TwinId, TwinState>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom("twin")
    .innerJoin("twin_side", "twin_side.twin_id", "twin.id")
    .selectAll("twin_side")
    .select(["twin.id", "twin.connection_id", "twin.state"])
    .where("twin.id", "in", [...ids])
    .execute();
  const twins = new Map<TwinId, TwinState & { sides: Map<SideId, TwinSideState> }>();
  for (const row of rows) {
    const twin = twins.get(row.id) ?? { id: row.id, connectionId: row.connection_id, state: row.state, sides: new Map<SideId, TwinSideState>() };
    twins.set(row.id, twin);
    twin.sides.set(row.side_id, {
      sideId: row.side_id,
      ref: row.entity_type === null || row.entity_id === null ? null : { type: row.entity_type, id: row.entity_id },
      key: row.entity_key,
      url: row.entity_url,
      seenVersion: row.seen_version,
      sent: row.sent,
      sentHash: row.sent_hash,
      sentSequence: row.sent_sequence,
      replicaSequence: row.replica_sequence,
      received: row.received,
      receivedSequence: row.received_sequence,
    });
  }
  return twins;
}

export interface KnownRecord {
  readonly twinId: TwinId;
  readonly entityId: string;
  readonly seenVersion: string | null;
  /** True while its twin has nothing on the other side. */
  readonly candidate: boolean;
}

/** Which of these records of one side have twins. */
export async function twinsOfRecords(db: Db | Tx, sideId: SideId, entityType: string, ids: readonly string[]): Promise<KnownRecord[]> {
  if (ids.length === 0) return [];
  const rows = await db
    .selectFrom("twin_side")
    .innerJoin("twin", "twin.id", "twin_side.twin_id")
    .select(["twin_side.twin_id as twinId", "twin_side.entity_id as entityId", "twin_side.seen_version as seenVersion", "twin.state"])
    .where("twin_side.side_id", "=", sideId)
    .where("twin_side.entity_type", "=", entityType)
    .where("twin_side.entity_id", "in", [...ids])
    .where("twin.state", "<>", "ended")
    .execute();
  return rows.flatMap((row) =>
    row.entityId === null ? [] : [{ twinId: row.twinId, entityId: row.entityId, seenVersion: row.seenVersion, candidate: row.state === "candidate" }],
  );
}

/** Starts twins for records of one side that have none; those that have one by now are left out of the answer. */
export async function createCandidates(tx: Tx, side: SideRow, entityType: string, ids: readonly string[]): Promise<KnownRecord[]> {
  if (ids.length === 0) return [];
  const candidates = ids.map((entityId) => ({ twinId: randomUUID() as string as TwinId, entityId }));
  await tx
    .insertInto("twin")
    .values(candidates.map(({ twinId }) => ({ id: twinId, connection_id: side.connectionId, state: "candidate" as const })))
    .execute();
  const made = await sql<{ twin_id: TwinId }>`insert into twin_side (twin_id, side_id, entity_type, entity_id)
    select twin_id, ${side.id}::uuid, ${entityType}, entity_id from unnest(${candidates.map((row) => row.twinId)}::uuid[], ${ids}::text[]) as given(twin_id, entity_id)
    order by entity_id
    on conflict (side_id, entity_type, entity_id) where active and not shared do nothing returning twin_id`.execute(tx);
  const kept = new Set(made.rows.map((row) => row.twin_id));
  const superfluous = candidates.filter(({ twinId }) => !kept.has(twinId));
  if (superfluous.length > 0) {
    await tx
      .deleteFrom("twin")
      .where(
        "id",
        "in",
        superfluous.map(({ twinId }) => twinId),
      )
      .execute();
  }
  const created = candidates.filter(({ twinId }) => kept.has(twinId));
  if (created.length > 0) {
    await tx
      .insertInto("twin_side")
      .values(created.map(({ twinId }) => ({ twin_id: twinId, side_id: side.remote.id })))
      .execute();
  }
  return created.map((row) => ({ ...row, seenVersion: null, candidate: true }));
}

/** Forgets a twin that never sent anything: the record turned out to be one that we made ourselves. */
export async function dropCandidate(tx: Tx, twinId: TwinId): Promise<void> {
  await tx.deleteFrom("twin").where("id", "=", twinId).where("state", "=", "candidate").execute();
}

/**
 * Ties a twin's side to a record. A poll may have seen that record before we could say that it is ours and started a twin for
 * it: such a candidate, which has sent nothing, gives way. A record that another twin is tied to is marked as shared.
 */
export async function tieRecord(tx: Tx, twinId: TwinId, sideId: SideId, ref: RecordRef): Promise<void> {
  await tx
    .deleteFrom("twin")
    .where("state", "=", "candidate")
    .where("id", "<>", twinId)
    .where("id", "in", (select) =>
      select
        .selectFrom("twin_side")
        .select("twin_id")
        .where("side_id", "=", sideId)
        .where("entity_type", "=", ref.type)
        .where("entity_id", "=", ref.id)
        .where("sent_sequence", "=", 0)
        .where("received_sequence", "=", 0),
    )
    .execute();
  const others = await tx
    .selectFrom("twin_side")
    .select("twin_id")
    .where("side_id", "=", sideId)
    .where("entity_type", "=", ref.type)
    .where("entity_id", "=", ref.id)
    .where("active", "=", true)
    .where("twin_id", "<>", twinId)
    .limit(1)
    .execute();
  await tx
    .updateTable("twin_side")
    .set({ entity_type: ref.type, entity_id: ref.id, shared: others.length > 0 })
    .where("twin_id", "=", twinId)
    .where("side_id", "=", sideId)
    .execute();
  await tx.updateTable("twin").set({ state: "tied" }).where("id", "=", twinId).execute();
}

/** Ends a tie. Both records stay as they are and may be tied anew. */
export async function endTwin(tx: Tx, twinId: TwinId): Promise<void> {
  await tx.updateTable("twin").set({ state: "ended" }).where("id", "=", twinId).execute();
  await tx.updateTable("twin_side").set({ active: false }).where("twin_id", "=", twinId).execute();
}

/** What was learned about the local record by reading it. */
export async function recordSeen(
  tx: Tx,
  twinId: TwinId,
  sideId: SideId,
  seen: { readonly key: string; readonly url: string; readonly version: string },
): Promise<void> {
  await tx
    .updateTable("twin_side")
    .set({ entity_key: seen.key, entity_url: seen.url, seen_version: seen.version, missing_since: null })
    .where("twin_id", "=", twinId)
    .where("side_id", "=", sideId)
    .execute();
}

/** What the other side knows from now on; `sequence` is given when it was told so by a message. */
export async function recordSent(
  tx: Tx,
  twinId: TwinId,
  sideId: SideId,
  sent: { readonly replica: Json; readonly hash: string; readonly sequence?: number },
): Promise<void> {
  await tx
    .updateTable("twin_side")
    .set({
      sent: jsonText(sent.replica),
      sent_hash: sent.hash,
      ...(sent.sequence === undefined ? {} : { sent_sequence: sent.sequence, replica_sequence: sent.sequence }),
    })
    .where("twin_id", "=", twinId)
    .where("side_id", "=", sideId)
    .execute();
}

/** A replica of the other side was handled here. */
export async function recordReceived(tx: Tx, twinId: TwinId, sideId: SideId, received: { readonly replica: Json; readonly sequence: number }): Promise<void> {
  await tx
    .updateTable("twin_side")
    .set({ received: jsonText(received.replica), received_sequence: received.sequence })
    .where("twin_id", "=", twinId)
    .where("side_id", "=", sideId)
    .execute();
}

/** An acknowledgement took the next number of its side. It is no replica: what was handled stays what it was. */
export async function recordAcknowledged(tx: Tx, twinId: TwinId, fromSideId: SideId, sequence: number): Promise<void> {
  await tx.updateTable("twin_side").set({ sent_sequence: sequence }).where("twin_id", "=", twinId).where("side_id", "=", fromSideId).execute();
}

export interface Trace {
  readonly kind: "comment" | "attachment";
  readonly originSideId: SideId;
  readonly originId: string;
  readonly mirrorSideId: SideId;
  readonly mirrorId: string;
}

export async function loadTraces(db: Db | Tx, ids: readonly TwinId[]): Promise<Map<TwinId, Trace[]>> {
  const traces = new Map<TwinId, Trace[]>(ids.map((id) => [id, []]));
  if (ids.length === 0) return traces;
  const rows = await db
    .selectFrom("trace")
    .select(["twin_id", "kind", "origin_side_id as originSideId", "origin_id as originId", "mirror_side_id as mirrorSideId", "mirror_id as mirrorId"])
    .where("twin_id", "in", [...ids])
    .execute();
  for (const { twin_id, ...trace } of rows) traces.get(twin_id)?.push(trace);
  return traces;
}

export async function recordTrace(tx: Tx, twinId: TwinId, trace: Trace): Promise<void> {
  await tx
    .insertInto("trace")
    .values({
      twin_id: twinId,
      kind: trace.kind,
      origin_side_id: trace.originSideId,
      origin_id: trace.originId,
      mirror_side_id: trace.mirrorSideId,
      mirror_id: trace.mirrorId,
    })
    .onConflict((conflict) => conflict.columns(["twin_id", "kind", "origin_side_id", "origin_id"]).doUpdateSet({ mirror_id: trace.mirrorId }))
    .execute();
}

/** The local record of a twin whose other side goes by `remoteKey` (its key or id). */
export async function localRecordFor(
  db: Db | Tx,
  side: SideRow,
  remoteKey: string,
  type?: string,
): Promise<(RecordRef & { readonly key: string | null }) | undefined> {
  let query = db
    .selectFrom("twin_side as remote")
    .innerJoin("twin_side as local", (join) => join.onRef("local.twin_id", "=", "remote.twin_id").on("local.side_id", "=", side.id))
    .select(["local.entity_type as type", "local.entity_id as id", "local.entity_key as key"])
    .where("remote.side_id", "=", side.remote.id)
    // An ended tie ties nothing.
    .where("local.active", "=", true)
    .where((where) => where.or([where("remote.entity_key", "=", remoteKey), where("remote.entity_id", "=", remoteKey)]))
    .where("local.entity_id", "is not", null);
  if (type !== undefined) query = query.where("local.entity_type", "=", type);
  const row = await query.limit(1).executeTakeFirst();
  return row?.type == null || row.id === null ? undefined : { type: row.type, id: row.id, key: row.key };
}
