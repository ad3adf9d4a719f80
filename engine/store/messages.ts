import type { Json } from "../replica/json.ts";
import { type Db, jsonText, type Tx } from "./database.ts";
import type { ConnectionId, MessageKind, MessageState, Problem, SideId, TwinId } from "./schema.ts";

export interface Message {
  readonly id: number;
  readonly connectionId: ConnectionId;
  readonly twinId: TwinId;
  readonly fromSideId: SideId;
  readonly toSideId: SideId;
  readonly sequence: number;
  readonly kind: MessageKind;
  readonly body: Json;
  /** What the sender held the other side to know before this message; kept until it is settled. */
  readonly previous: Json | null;
  /** Where `body` holds HTML that came from a rich field: paths of member names. */
  readonly rich: readonly (readonly string[])[] | null;
  readonly basis: number;
  readonly state: MessageState;
  /** The local record as it was before anything was written for this message, as {@link recordFound} kept it. */
  readonly found: Json | null;
}

/** Stores a message once; the number is unique per connection, twin and sender, so a second delivery changes nothing. Returns its id. */
export async function storeMessage(tx: Tx, message: Omit<Message, "id" | "found">): Promise<number | undefined> {
  const stored = await tx
    .insertInto("message")
    .values({
      connection_id: message.connectionId,
      twin_id: message.twinId,
      from_side_id: message.fromSideId,
      to_side_id: message.toSideId,
      sequence: message.sequence,
      kind: message.kind,
      body: jsonText(message.body),
      previous: message.previous === null ? null : jsonText(message.previous),
      rich: message.rich === null ? null : jsonText(message.rich),
      basis: message.basis,
      state: message.state,
      settled_at: message.state === "received" ? null : new Date(),
    })
    .onConflict((conflict) => conflict.columns(["connection_id", "twin_id", "from_side_id", "sequence"]).doNothing())
    .returning("id")
    .executeTakeFirst();
  return stored?.id;
}

export async function loadMessages(db: Db | Tx, ids: readonly number[]): Promise<Map<number, Message>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom("message")
    .select([
      "id",
      "connection_id as connectionId",
      "twin_id as twinId",
      "from_side_id as fromSideId",
      "to_side_id as toSideId",
      "sequence",
      "kind",
      "body",
      "previous",
      "rich",
      "basis",
      "state",
      "found",
    ])
    .where("id", "in", [...ids])
    .execute();
  return new Map(rows.map((row) => [row.id, row]));
}

export async function settleMessage(tx: Tx, id: number, state: MessageState, reason: string | null): Promise<void> {
  await tx.updateTable("message").set({ state, reason, settled_at: new Date(), previous: null, found: null }).where("id", "=", id).execute();
}

/** Keeps the local record as it was found, for tries after the first write: they have to tell our own edits from a person's. */
export async function recordFound(tx: Tx, id: number, found: Json): Promise<void> {
  await tx
    .updateTable("message")
    .set({ found: jsonText(found) })
    .where("id", "=", id)
    .execute();
}

/** A write as it is remembered: without bytes, with what it mirrors. */
export type IntendedOperation =
  | { readonly kind: "create"; readonly entityType: string; readonly fields: Readonly<Record<string, Json>> }
  | { readonly kind: "update"; readonly entityType: string; readonly entityId: string; readonly fields: Readonly<Record<string, Json>> }
  | {
      readonly kind: "addComment";
      readonly entityType: string;
      readonly entityId: string;
      readonly body: string;
      readonly internal: boolean;
      readonly remoteId: string | null;
      /** True for a comment of the rule's own that is to travel. */
      readonly track?: boolean;
      /** The id of the user in whose name it is written, where the platform can do that. */
      readonly author?: string;
    }
  | { readonly kind: "editComment"; readonly entityType: string; readonly entityId: string; readonly commentId: string; readonly body: string }
  | { readonly kind: "removeComment"; readonly entityType: string; readonly entityId: string; readonly commentId: string }
  | {
      readonly kind: "addAttachment";
      readonly entityType: string;
      readonly entityId: string;
      readonly filename: string;
      readonly mimetype: string;
      readonly filesize: number;
      readonly remoteId: string;
    }
  | { readonly kind: "removeAttachment"; readonly entityType: string; readonly entityId: string; readonly attachmentId: string };

export interface Intent {
  readonly id: number;
  readonly messageId: number;
  readonly ordinal: number;
  readonly marker: string;
  readonly operation: IntendedOperation;
  readonly state: "intended" | "done" | "refused" | "absent";
  readonly resultId: string | null;
  readonly intendedAt: Date;
  /** When its answer failed to come; null while it was not asked for one, or nobody lived to note it. */
  readonly doubtedAt: Date | null;
}

const intentColumns = [
  "id",
  "message_id as messageId",
  "ordinal",
  "marker",
  "operation",
  "state",
  "result_id as resultId",
  "intended_at as intendedAt",
  "settled_at as doubtedAt",
] as const;

/** Writes down what is about to be written, before it is. */
export async function recordIntents(
  tx: Tx,
  message: Pick<Message, "id" | "twinId" | "toSideId">,
  operations: readonly { readonly ordinal: number; readonly marker: string; readonly operation: IntendedOperation }[],
): Promise<Intent[]> {
  if (operations.length === 0) return [];
  const rows = await tx
    .insertInto("intent")
    .values(
      operations.map(({ ordinal, marker, operation }) => ({
        message_id: message.id,
        twin_id: message.twinId,
        side_id: message.toSideId,
        ordinal,
        marker,
        operation: jsonText(operation),
        state: "intended" as const,
      })),
    )
    .returning(intentColumns)
    .execute();
  return rows.map(asIntent).sort((a, b) => a.ordinal - b.ordinal);
}

export async function intentsOf(db: Db | Tx, messageIds: readonly number[]): Promise<Intent[]> {
  if (messageIds.length === 0) return [];
  const rows = await db
    .selectFrom("intent")
    .select(intentColumns)
    .where("message_id", "in", [...messageIds])
    .orderBy("id")
    .execute();
  return rows.map(asIntent);
}

export async function settleIntent(
  tx: Tx,
  id: number,
  outcome: { readonly state: "done"; readonly resultId: string } | { readonly state: "absent" } | { readonly state: "refused"; readonly error: Problem },
): Promise<void> {
  await tx
    .updateTable("intent")
    .set({
      state: outcome.state,
      settled_at: new Date(),
      ...(outcome.state === "done" ? { result_id: outcome.resultId } : {}),
      ...(outcome.state === "refused" ? { error: jsonText(outcome.error) } : {}),
    })
    .where("id", "=", id)
    .execute();
}

/** The answer to a write never came: it stays intended until it was looked for. */
export async function doubtIntent(tx: Tx, id: number): Promise<void> {
  await tx.updateTable("intent").set({ settled_at: new Date() }).where("id", "=", id).execute();
}

/** True when a record of a side that carries one of these markers is one that we made there for a twin that still lives, or are about to know that we made. */
export async function isOurs(db: Db | Tx, sideId: SideId, entityId: string, markers: readonly string[]): Promise<boolean> {
  if (markers.length === 0) return false;
  const row = await db
    .selectFrom("intent")
    .innerJoin("twin", "twin.id", "intent.twin_id")
    .select("intent.id")
    .where("intent.marker", "in", [...markers])
    .where("intent.side_id", "=", sideId)
    .where("twin.state", "<>", "ended")
    // People copy records, markers included: one that became another record is not this one.
    .where((where) => where.or([where("intent.result_id", "is", null), where("intent.result_id", "=", entityId)]))
    .executeTakeFirst();
  return row !== undefined;
}

/** Fields of the records of a type that are being created on a side at this moment, as far as anybody knows. */
export async function createsUnderWay(db: Db | Tx, sideId: SideId, entityType: string): Promise<Readonly<Record<string, Json>>[]> {
  const rows = await db.selectFrom("intent").select(intentColumns).where("side_id", "=", sideId).where("state", "=", "intended").execute();
  return rows.map(asIntent).flatMap(({ operation }) => (operation.kind === "create" && operation.entityType === entityType ? [operation.fields] : []));
}

function asIntent(row: {
  operation: Json;
  id: number;
  messageId: number;
  ordinal: number;
  marker: string;
  state: Intent["state"];
  resultId: string | null;
  intendedAt: Date;
  doubtedAt: Date | null;
}): Intent {
  // Written by recordIntents alone, from an IntendedOperation.
  return { ...row, operation: row.operation as unknown as IntendedOperation };
}
