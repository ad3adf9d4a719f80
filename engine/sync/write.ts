import type { Readable } from "node:stream";
import type { Connector, EntityRef, Json, WriteOperation, WriteOutcome } from "../../connectors/connector.ts";
import { ConnectorError } from "../../connectors/errors.ts";
import { isJsonObject } from "../replica/json.ts";
import type { SideRow } from "../store/configuration.ts";
import { transact } from "../store/database.ts";
import { doubtIntent, type IntendedOperation, type Intent, recordFound, recordIntents, settleIntent } from "../store/messages.ts";
import { recordTrace, type Trace } from "../store/twins.ts";
import { type Applying, tie } from "./apply.ts";
import type { Change } from "./change.ts";
import type { SyncContext } from "./context.ts";
import { entityJson } from "./entity-view.ts";
import { markerPrefix } from "./maker.ts";

/** What this try and earlier ones have done for a message. */
export interface DoneWrites {
  created: EntityRef | undefined;
  traces: Trace[];
  /** Ids of comments and attachments that we added, edited or removed. */
  touched: Set<string>;
  /** Fields that were written, or may have been. */
  fields: Record<string, Json>;
  /** Those of them that the platform took. */
  landed: Record<string, Json>;
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
    const { editComment, removeComment, removeAttachment, impersonation } = connector.capabilities;
    return [
      ...withoutAdded(applying, change.addComments).map(({ author, ...comment }): IntendedOperation => {
        const as = impersonation ? userId(author) : undefined;
        return { kind: "addComment", ...place, ...comment, ...(as === undefined ? {} : { author: as }) };
      }),
      // What the platform cannot do to a comment or an attachment is left as it is there; the other side's own stays right.
      ...(editComment ? change.editComments.map((comment): IntendedOperation => ({ kind: "editComment", ...place, ...comment })) : []),
      ...(removeComment ? change.removeComments.map((commentId): IntendedOperation => ({ kind: "removeComment", ...place, commentId })) : []),
      ...change.addAttachments.map((attachment): IntendedOperation => ({ kind: "addAttachment", ...place, ...attachment })),
      ...(removeAttachment ? change.removeAttachments.map((attachmentId): IntendedOperation => ({ kind: "removeAttachment", ...place, attachmentId })) : []),
    ];
  });
}

/** What a rule set as a comment's author: a person, the value of a reference field, or an id. */
function userId(author: Json | undefined): string | undefined {
  const id = isJsonObject(author) ? author["id"] : author;
  return typeof id === "string" && id !== "" ? id : undefined;
}

/** Comments of the rule's own have no original: those that an earlier try of this message added are known by their place in order, since their texts may hold the time. */
function withoutAdded(applying: Applying, comments: Change["addComments"]): Change["addComments"] {
  let added = applying.intents.filter(({ state, operation }) => state === "done" && operation.kind === "addComment" && operation.remoteId === null).length;
  return comments.filter((comment) => comment.remoteId !== null || added-- <= 0);
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
    if (applying.found !== null && applying.message.found === null && !applying.kept) {
      await recordFound(tx, applying.message.id, entityJson(applying.found));
      applying.kept = true;
    }
    const first = applying.intents.reduce((highest, intent) => Math.max(highest, intent.ordinal), 0) + 1;
    const intents = await recordIntents(
      tx,
      applying.message,
      operations.map((operation, index) => ({ ordinal: first + index, marker: `${markerPrefix}${context.newId()}`, operation })),
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
      const reason =
        error instanceof ConnectorError
          ? error
          : new ConnectorError("TRANSIENT", { message: "The write failed inside the connector.", uncertain: true, cause: error });
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
      return {
        kind: "addComment",
        ref,
        body: operation.body,
        internal: operation.internal,
        marker,
        ...(operation.author === undefined ? {} : { author: operation.author }),
      };
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

/**
 * The bytes of an attachment of the other side, straight from its platform: both sides live on this node. An error there says
 * nothing about the platform that is being written to, so it is kept for {@link recordOutcomes} and passes by itself, whatever it is.
 */
async function openRemote(context: SyncContext, side: SideRow, applying: Applying, remoteId: string): Promise<Readable> {
  const ref = applying.twin.sides.get(side.remote.id)?.ref;
  if (ref == null) throw new ConnectorError("NOT_FOUND_OR_HIDDEN", { message: `The record that the attachment ${remoteId} hangs on is not known.` });
  const { connector, name } = await context.connectors.instance(side.remote.instanceId);
  try {
    return await connector.openAttachment(ref, remoteId);
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    const message = `The attachment cannot be fetched from ${name}: ${error.message}`;
    const gone = new ConnectorError("NOT_FOUND_OR_HIDDEN", { message, cause: error });
    const passing = new ConnectorError("TRANSIENT", {
      message,
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
      cause: error,
    });
    applying.unfetched.set(remoteId, error.code === "NOT_FOUND_OR_HIDDEN" || error.code === "DELETED" ? gone : passing);
    // To the connector that is writing, this concerns one operation: a passing error would look like one of its own platform, for all of them.
    throw gone;
  }
}

/** Records the outcomes of one message's writes; the first error is returned once all are recorded. */
async function recordOutcomes(
  context: SyncContext,
  side: SideRow,
  applying: Applying,
  mine: readonly { readonly intent: Intent; readonly outcome: WriteOutcome | undefined }[],
): Promise<unknown> {
  let failed: unknown;
  // A poll may be making a candidate of the very record that is tied here.
  await transact(context.db, async (tx) => {
    failed = undefined;
    await context.lanes.holdFence(tx, applying.item.lane);
    for (const { intent, outcome } of mine) {
      if (outcome === undefined) failed ??= new Error("The connector answered fewer writes than it was given.");
      else if (outcome.ok) {
        await recordDone(context, tx, side, applying, intent, outcome.id);
        if (outcome.dropped !== undefined && outcome.dropped.length > 0) {
          context.log.warn(
            { connection: side.connectionName, side: side.name, fields: outcome.dropped, record: outcome.id },
            "The platform did not keep some fields as they were written.",
          );
        }
      } else {
        // The file was taken away where it came from, before it could be copied: there is nothing to copy any more.
        const fetching = intent.operation.kind === "addAttachment" ? applying.unfetched.get(intent.operation.remoteId) : undefined;
        const gone = fetching?.code === "NOT_FOUND_OR_HIDDEN";
        if (!gone) failed ??= fetching ?? outcome.error;
        // An uncertain write stays intended: the next try looks it up before it does anything.
        if (outcome.error.uncertain && !gone) await doubtIntent(tx, intent.id);
        else await settleIntent(tx, intent.id, { state: "refused", error: { code: outcome.error.code, message: outcome.error.message } });
      }
    }
  });
  return failed;
}

export async function recordDone(
  context: SyncContext,
  tx: Parameters<typeof settleIntent>[0],
  side: SideRow,
  applying: Applying,
  intent: Intent,
  resultId: string,
): Promise<void> {
  await settleIntent(tx, intent.id, { state: "done", resultId });
  const trace = count(side, applying, intent, resultId);
  if (trace !== undefined) await recordTrace(tx, applying.twin.id, trace);
  if (intent.operation.kind === "create") {
    await tie(tx, side, applying.twin, { type: intent.operation.entityType, id: resultId });
    context.log.info({ connection: side.connectionName, side: side.name, type: intent.operation.entityType, id: resultId }, "Created a record.");
  }
}

/** Takes a write that happened into account. Returns the trace that it makes, if any. */
export function count(side: SideRow, applying: Applying, intent: Intent, resultId: string): Trace | undefined {
  const { operation } = intent;
  const { done } = applying;
  switch (operation.kind) {
    case "create":
      done.created = { type: operation.entityType, id: resultId };
      Object.assign(done.fields, operation.fields);
      Object.assign(done.landed, operation.fields);
      return undefined;
    case "update":
      Object.assign(done.fields, operation.fields);
      Object.assign(done.landed, operation.fields);
      return undefined;
    case "addComment":
    case "addAttachment": {
      // A tracked comment of the rule's own is news to the other side, as if a person had written it.
      if (operation.kind === "addComment" && operation.track === true) return undefined;
      done.touched.add(resultId);
      if (operation.remoteId === null) {
        // Other comments of the rule's own stay here: they count as mirrors of nothing, which are never sent.
        const own: Trace = { kind: "comment", originSideId: side.remote.id, originId: intent.marker, mirrorSideId: side.id, mirrorId: resultId };
        if (!applying.traces.some((other) => other.originId === own.originId)) applying.traces = [...applying.traces, own];
        return own;
      }
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
