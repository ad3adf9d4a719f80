import type { Connector, Entity, EntitySchema } from "../../connectors/connector.ts";
import { wakeRunners } from "../lanes/wake.ts";
import { sameJson } from "../replica/canonical.ts";
import type { Json } from "../replica/json.ts";
import type { ActiveRule, SideRow } from "../store/configuration.ts";
import type { Tx } from "../store/database.ts";
import { settleMessage, storeMessage } from "../store/messages.ts";
import { recordRuns } from "../store/runs.ts";
import { recordAcknowledged, recordReceived, recordSeen, recordSent } from "../store/twins.ts";
import type { Applying } from "./apply.ts";
import type { SyncContext } from "./context.ts";
import { richTextIn } from "./dialects.ts";
import { runEffects } from "./effects.ts";
import { entityJson, expectedAfter } from "./entity-view.ts";
import { askOutgoing } from "./outgoing.ts";
import { sendReplica } from "./send.ts";
import { wakeThoseWaiting } from "./waiting.ts";

/**
 * Records that the message was handled: what the other side knows now, the acknowledgement, the runs, and the next job of the
 * lane, in one transaction. A local edit found on the way is sent in the same transaction.
 */
export async function finish(context: SyncContext, side: SideRow, connector: Connector, rule: ActiveRule, applying: Applying): Promise<void> {
  const { message, twin, decision } = applying;
  const local = twin.sides.get(side.id);
  if (decision === undefined || decision.kind === "waiting" || decision.kind === "link" || local === undefined)
    throw new Error("A message reached its end without a decision.");
  const schema = applying.after === undefined ? undefined : await connector.describe(applying.after.ref.type);
  const known = applying.after === undefined || schema === undefined ? undefined : await whatTheyKnow(context, side, rule, applying, applying.after, schema);
  const unsentRich = applying.unsent === undefined || applying.found === null ? [] : await richTextIn(connector, applying.found, applying.unsent.replica);
  const knownRich = applying.after === undefined || known === undefined ? [] : await richTextIn(connector, applying.after, known.actual.replica);
  await context.db.transaction().execute(async (tx) => {
    await context.lanes.complete(tx, applying.item.lane);
    let sequence = local.sentSequence;
    if (applying.unsent !== undefined) {
      // Its basis is what had been handled before this message: the edit was made without knowing it.
      sequence += 1;
      await sendReplica(context, tx, side, {
        twinId: twin.id,
        replica: applying.unsent.replica,
        hash: applying.unsent.hash,
        previous: local.sent,
        rich: unsentRich,
        sequence,
        basis: local.receivedSequence,
      });
    }
    await recordReceived(tx, twin.id, side.id, { replica: message.body, sequence: message.sequence });
    if (known !== undefined) {
      await recordSent(tx, twin.id, side.id, { replica: known.expected.replica, hash: known.expected.hash });
      const news = known.actual.hash !== known.expected.hash || (decision.kind !== "skip" && decision.mergedWithOurs) || applying.createdUnseen;
      if (news) {
        sequence += 1;
        await sendReplica(context, tx, side, {
          twinId: twin.id,
          ...known.actual,
          rich: knownRich,
          previous: known.expected.replica,
          sequence,
          basis: message.sequence,
        });
      }
    }
    const entity = applying.after ?? applying.before;
    if (entity !== null && entity !== undefined) {
      // Without knowing what the other side knows, this state has to be looked at once more: no poll may pass over it.
      const lookAgain = decision.kind === "change" && known === undefined;
      await recordSeen(tx, twin.id, side.id, { key: entity.key, url: entity.url, version: lookAgain ? "" : entity.version });
      // Rules of the other side know this record by its key, which nobody knew when it was tied.
      if (entity.key !== local.key) await wakeThoseWaiting(tx, side, { ref: entity.ref, key: entity.key }, twin.sides.get(side.remote.id));
    }
    await settleMessage(tx, message.id, decision.kind === "skip" ? "skipped" : "applied", decision.kind === "change" ? null : decision.why);
    await acknowledge(tx, side, applying, sequence + 1, entity ?? null);
    await recordRuns(tx, applying.runs);
    if (decision.kind !== "skip") await runEffects(context, tx, side, twin.id, decision.effects);
    await wakeRunners(tx);
  });
}

interface Known {
  readonly expected: { readonly replica: Json; readonly hash: string };
  readonly actual: { readonly replica: Json; readonly hash: string };
}

/** The replica as the other side may take it to be after our write, and as it is. They differ when somebody else changed something. */
export async function whatTheyKnow(
  context: SyncContext,
  side: SideRow,
  rule: ActiveRule,
  applying: Applying,
  after: Entity,
  schema: EntitySchema,
): Promise<Known | undefined> {
  const expectedEntity = expectedAfter(after, { before: applying.found, fields: applying.done.fields, touched: applying.done.touched }, schema);
  const traces = [...applying.traces, ...applying.done.traces];
  const actual = await askOutgoing(context, side, rule, applying.twin, traces, after);
  if (actual.said?.kind !== "replica") {
    // The rule erred or skips such a record: the next look at it will say so by itself.
    return undefined;
  }
  if (sameJson(entityJson(expectedEntity), entityJson(after))) return { expected: actual.said, actual: actual.said };
  const expected = await askOutgoing(context, side, rule, applying.twin, traces, expectedEntity);
  return expected.said?.kind === "replica" ? { expected: expected.said, actual: actual.said } : { expected: actual.said, actual: actual.said };
}

/** Tells the origin the record's id, key and address here, and the traces of what was mirrored. */
async function acknowledge(tx: Tx, side: SideRow, applying: Applying, sequence: number, entity: Entity | null): Promise<void> {
  const { message, twin } = applying;
  await storeMessage(tx, {
    connectionId: side.connectionId,
    twinId: twin.id,
    fromSideId: side.id,
    toSideId: side.remote.id,
    sequence,
    kind: "ack",
    previous: null,
    rich: null,
    body: {
      of: message.sequence,
      entity: entity === null ? null : { type: entity.ref.type, id: entity.ref.id, key: entity.key, url: entity.url },
      traces: applying.done.traces.map((trace) => ({ kind: trace.kind, originId: trace.originId, mirrorId: trace.mirrorId })),
    },
    basis: message.sequence,
    state: "applied",
  });
  await recordAcknowledged(tx, twin.id, side.id, sequence);
}
