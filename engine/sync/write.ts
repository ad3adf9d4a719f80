import type { Readable } from "node:stream";
import type { Connector, EntityRef, Json, LostWrite, WriteOperation, WriteOutcome } from "../../connectors/connector.ts";
import { ConnectorError } from "../../connectors/errors.ts";
import type { SideRow } from "../store/configuration.ts";
import { type IntendedOperation, type Intent, recordIntents, settleIntent } from "../store/messages.ts";
import { recordTrace, type Trace } from "../store/twins.ts";
import { type Applying, tie } from "./apply.ts";
import type { SyncContext } from "./context.ts";

/** What this try and earlier ones have done for a message. */
export interface DoneWrites {
  created: EntityRef | undefined;
  traces: Trace[];
  /** Ids of comments and attachments that we added, edited or removed. */
  touched: Set<string>;
  fields: Record<string, Json>;
}

/**
 * Settles what an earlier try left open: a write that was intended but whose outcome nobody recorded is looked up on the platform
 * before anything is repeated. What was done is counted as done; what surely was not is intended anew by this try.
 */
export async function settleLeftOver(context: SyncContext, side: SideRow, connector: Connector, all: readonly Applying[]): Promise<Map<Applying, unknown>> {
  const errors = new Map<Applying, unknown>();
  const lost: { applying: Applying; intent: Intent; lostWrite: LostWrite }[] = [];
  for (const applying of all) {
    for (const intent of applying.intents) {
      if (intent.state === "done") count(side, applying, intent, intent.resultId ?? "");
      const lostWrite = intent.state === "intended" ? lostWriteOf(side, applying, intent) : undefined;
      if (lostWrite !== undefined) lost.push({ applying, intent, lostWrite });
    }
  }
  const located = lost.length === 0 ? [] : await connector.locate(lost.map(({ lostWrite }) => lostWrite));
  const foundBy = new Map(lost.map(({ intent }, index) => [intent.id, located[index]]));
  await Promise.all(
    all.map(async (applying) => {
      const open = applying.intents.filter((intent) => intent.state === "intended");
      if (open.length === 0) return;
      try {
        await context.db.transaction().execute(async (tx) => {
          await context.lanes.holdFence(tx, applying.item.lane);
          for (const intent of open) {
            const resultId = foundBy.get(intent.id);
            if (resultId === undefined) await settleIntent(tx, intent.id, { state: "absent" });
            else await recordDone(context, tx, side, applying, intent, resultId);
          }
        });
      } catch (error) {
        errors.set(applying, error);
      }
    }),
  );
  return errors;
}

/** Creates and updates, of all messages together. */
export async function writeRecords(context: SyncContext, side: SideRow, connector: Connector, all: readonly Applying[]): Promise<Map<Applying, unknown>> {
  return await carryOut(context, side, connector, all, "apply.written", (applying) => {
    if (applying.decision?.kind !== "change") return [];
    const { change } = applying.decision;
    const ref = localRef(side, applying);
    if (ref === undefined) return [{ kind: "create", entityType: change.entityType, fields: change.fields }];
    if (Object.keys(change.fields).length === 0) return [];
    return [{ kind: "update", entityType: ref.type, entityId: ref.id, fields: change.fields }];
  });
}

/** Comments and attachments, of all messages together, once their records exist. */
export async function writeAttached(context: SyncContext, side: SideRow, connector: Connector, all: readonly Applying[]): Promise<Map<Applying, unknown>> {
  return await carryOut(context, side, connector, all, "apply.comments-written", (applying) => {
    const ref = localRef(side, applying);
    if (applying.decision?.kind !== "change" || ref === undefined) return [];
    const { change } = applying.decision;
    const place = { entityType: ref.type, entityId: ref.id };
    const { editComment, removeComment, removeAttachment } = connector.capabilities;
    return [
      ...change.addComments.filter((comment) => !wasAdded(applying, comment)).map((comment): IntendedOperation => ({ kind: "addComment", ...place, ...comment })),
      // What the platform cannot do to a comment or an attachment is left as it is there; the other side's own stays right.
      ...(editComment ? change.editComments.map((comment): IntendedOperation => ({ kind: "editComment", ...place, ...comment })) : []),
      ...(removeComment ? change.removeComments.map((commentId): IntendedOperation => ({ kind: "removeComment", ...place, commentId })) : []),
      ...change.addAttachments.map((attachment): IntendedOperation => ({ kind: "addAttachment", ...place, ...attachment })),
      ...(removeAttachment ? change.removeAttachments.map((attachmentId): IntendedOperation => ({ kind: "removeAttachment", ...place, attachmentId })) : []),
    ];
  });
}

/** A comment of the rule's own has no trace: what an earlier try of this message added is known by its text. */
function wasAdded(applying: Applying, comment: { readonly body: string; readonly internal: boolean; readonly remoteId: string | null }): boolean {
  if (comment.remoteId !== null) return false;
  return applying.intents.some(
    ({ state, operation }) => state === "done" && operation.kind === "addComment" && operation.remoteId === null && operation.body === comment.body && operation.internal === comment.internal,
  );
}

function localRef(side: SideRow, applying: Applying): EntityRef | undefined {
  return applying.done.created ?? applying.twin.sides.get(side.id)?.ref ?? undefined;
}

/** Intent, write, outcome: each recorded in a transaction that first makes sure that the lane is still ours. */
async function carryOut(
  context: SyncContext,
  side: SideRow,
  connector: Connector,
  all: readonly Applying[],
  writtenPoint: "apply.written" | "apply.comments-written",
  plan: (applying: Applying) => readonly IntendedOperation[],
): Promise<Map<Applying, unknown>> {
  const errors = new Map<Applying, unknown>();
  const work = (
    await Promise.all(
      all.map(async (applying) => {
        const operations = plan(applying);
        if (operations.length === 0) return [];
        try {
          const intents = await intend(context, applying, operations);
          return intents.map((intent) => ({ applying, intent }));
        } catch (error) {
          errors.set(applying, error);
          return [];
        }
      }),
    )
  ).flat();
  if (work.length === 0) return errors;
  context.passing("apply.intended");
  const outcomes = await writeMany(
    connector,
    work.map(({ applying, intent }) => asWrite(context, side, applying, intent)),
  );
  context.passing(writtenPoint);
  await Promise.all(
    all.map(async (applying) => {
      const mine = work.flatMap(({ applying: owner, intent }, index) => (owner === applying ? [{ intent, outcome: outcomes[index] }] : []));
      if (mine.length === 0) return;
      try {
        const failed = await recordOutcomes(context, side, applying, mine);
        if (failed !== undefined) errors.set(applying, failed);
      } catch (error) {
        errors.set(applying, error);
      }
    }),
  );
  context.passing("apply.recorded");
  return errors;
}

async function intend(context: SyncContext, applying: Applying, operations: readonly IntendedOperation[]): Promise<Intent[]> {
  return await context.db.transaction().execute(async (tx) => {
    await context.lanes.holdFence(tx, applying.item.lane);
    const first = applying.intents.reduce((highest, intent) => Math.max(highest, intent.ordinal), 0) + 1;
    const intents = await recordIntents(
      tx,
      applying.message,
      operations.map((operation, index) => ({ ordinal: first + index, marker: `ib-${context.newId()}`, operation })),
    );
    applying.intents = [...applying.intents, ...intents];
    return intents;
  });
}

async function writeMany(connector: Connector, operations: readonly WriteOperation[]): Promise<WriteOutcome[]> {
  const size = connector.capabilities.batchSize;
  const outcomes: WriteOutcome[] = [];
  for (let start = 0; start < operations.length; start += size) {
    const part = operations.slice(start, start + size);
    try {
      outcomes.push(...(await connector.write(part)));
    } catch (error) {
      // The connector throws only when nothing was sent; earlier parts keep their outcomes.
      const reason = error instanceof ConnectorError ? error : new ConnectorError("TRANSIENT", { message: "The write failed inside the connector.", uncertain: true, cause: error });
      outcomes.push(...part.map((): WriteOutcome => ({ ok: false, error: reason })));
    }
  }
  return outcomes;
}

function asWrite(context: SyncContext, side: SideRow, applying: Applying, intent: Intent): WriteOperation {
  const { operation, marker } = intent;
  if (operation.kind === "create") return { kind: "create", entityType: operation.entityType, fields: operation.fields, marker };
  const ref = { type: operation.entityType, id: operation.entityId };
  switch (operation.kind) {
    case "update":
      return { kind: "update", ref, fields: operation.fields };
    case "addComment":
      return { kind: "addComment", ref, body: operation.body, internal: operation.internal, marker };
    case "editComment":
      return { kind: "editComment", ref, commentId: operation.commentId, body: operation.body };
    case "removeComment":
      return { kind: "removeComment", ref, commentId: operation.commentId };
    case "addAttachment":
      return {
        kind: "addAttachment",
        ref,
        filename: operation.filename,
        mimetype: operation.mimetype,
        filesize: operation.filesize,
        open: async () => await openRemote(context, side, applying, operation.remoteId),
        marker,
      };
    case "removeAttachment":
      return { kind: "removeAttachment", ref, attachmentId: operation.attachmentId };
  }
}

/** The bytes of an attachment of the other side, straight from its platform: both sides live on this node. */
async function openRemote(context: SyncContext, side: SideRow, applying: Applying, remoteId: string): Promise<Readable> {
  const ref = applying.twin.sides.get(side.remote.id)?.ref;
  if (ref == null) throw new ConnectorError("NOT_FOUND_OR_HIDDEN", { message: `The record that the attachment ${remoteId} hangs on is not known.` });
  const { connector } = await context.connectors.instance(side.remote.instanceId);
  return await connector.openAttachment(ref, remoteId);
}

/** Records the outcomes of one message's writes; the first error is returned once all are recorded. */
async function recordOutcomes(
  context: SyncContext,
  side: SideRow,
  applying: Applying,
  mine: readonly { readonly intent: Intent; readonly outcome: WriteOutcome | undefined }[],
): Promise<unknown> {
  let failed: unknown;
  await context.db.transaction().execute(async (tx) => {
    failed = undefined;
    await context.lanes.holdFence(tx, applying.item.lane);
    for (const { intent, outcome } of mine) {
      if (outcome === undefined) failed ??= new Error("The connector answered fewer writes than it was given.");
      else if (outcome.ok) {
        await recordDone(context, tx, side, applying, intent, outcome.id);
        if (outcome.dropped !== undefined && outcome.dropped.length > 0) {
          context.log.warn({ connection: side.connectionName, side: side.name, fields: outcome.dropped, record: outcome.id }, "The platform did not keep some fields as they were written.");
        }
      } else {
        failed ??= outcome.error;
        // An uncertain write stays intended: the next try looks it up before it does anything.
        if (!outcome.error.uncertain) await settleIntent(tx, intent.id, { state: "refused", error: { code: outcome.error.code, message: outcome.error.message } });
      }
    }
  });
  return failed;
}

async function recordDone(context: SyncContext, tx: Parameters<typeof settleIntent>[0], side: SideRow, applying: Applying, intent: Intent, resultId: string): Promise<void> {
  await settleIntent(tx, intent.id, { state: "done", resultId });
  const trace = count(side, applying, intent, resultId);
  if (trace !== undefined) await recordTrace(tx, applying.twin.id, trace);
  if (intent.operation.kind === "create") {
    await tie(tx, side, applying.twin, { type: intent.operation.entityType, id: resultId });
    context.log.info({ connection: side.connectionName, side: side.name, type: intent.operation.entityType, id: resultId }, "Created a record.");
  }
}

/** Takes a write that happened into account. Returns the trace that it makes, if any. */
function count(side: SideRow, applying: Applying, intent: Intent, resultId: string): Trace | undefined {
  const { operation } = intent;
  const { done } = applying;
  switch (operation.kind) {
    case "create":
      done.created = { type: operation.entityType, id: resultId };
      Object.assign(done.fields, operation.fields);
      return undefined;
    case "update":
      Object.assign(done.fields, operation.fields);
      return undefined;
    case "addComment":
    case "addAttachment": {
      done.touched.add(resultId);
      if (operation.remoteId === null) return undefined;
      const kind = operation.kind === "addComment" ? "comment" : "attachment";
      const trace: Trace = { kind, originSideId: side.remote.id, originId: operation.remoteId, mirrorSideId: side.id, mirrorId: resultId };
      if (!done.traces.some((other) => other.kind === kind && other.originId === trace.originId)) done.traces.push(trace);
      // The next step of this try must not merge it a second time.
      if (!applying.traces.some((other) => other.kind === kind && other.originId === trace.originId)) applying.traces = [...applying.traces, trace];
      return trace;
    }
    case "editComment":
    case "removeComment":
      done.touched.add(operation.commentId);
      return undefined;
    case "removeAttachment":
      done.touched.add(operation.attachmentId);
      return undefined;
  }
}

/** Writes that can be repeated (updates, edits, removals) need no look-up: the next difference decides. */
function lostWriteOf(side: SideRow, applying: Applying, intent: Intent): LostWrite | undefined {
  const { operation, marker } = intent;
  const since = intent.intendedAt.toISOString();
  const accounted = [
    ...applying.traces.map((trace) => (trace.mirrorSideId === side.id ? trace.mirrorId : trace.originId)),
    ...applying.intents.flatMap((other) => (other.resultId === null ? [] : [other.resultId])),
  ];
  if (operation.kind === "create") return { operation: { kind: "create", entityType: operation.entityType, fields: operation.fields, marker }, since, known: accounted };
  if (operation.kind !== "addComment" && operation.kind !== "addAttachment") return undefined;
  const ref = { type: operation.entityType, id: operation.entityId };
  if (operation.kind === "addComment") return { operation: { kind: "addComment", ref, body: operation.body, internal: operation.internal, marker }, since, known: accounted };
  const { filename, mimetype, filesize } = operation;
  return { operation: { kind: "addAttachment", ref, filename, mimetype, filesize, marker }, since, known: accounted };
}

