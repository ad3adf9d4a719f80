import type { Connector, LostWrite } from "../../connectors/connector.ts";
import type { SideRow } from "../store/configuration.ts";
import { transact } from "../store/database.ts";
import { type Intent, settleIntent } from "../store/messages.ts";
import { twinsOfRecords } from "../store/twins.ts";
import type { Applying } from "./apply.ts";
import type { SyncContext } from "./context.ts";
import { doubtLeft, StillInDoubt } from "./doubt.ts";
import { count, recordDone } from "./write.ts";

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
      // Of an update nobody knows whether it happened, and nobody need know: what it set may be there, and is ours if it is.
      else if (intent.state !== "refused" && !needsLookUp(intent)) countPerhaps(applying, intent);
      const lostWrite = intent.state === "intended" ? lostWriteOf(side, applying, intent) : undefined;
      if (lostWrite !== undefined) lost.push({ applying, intent, lostWrite });
    }
  }
  const located = await locateOurs(context, side, connector, lost);
  const foundBy = new Map(lost.map(({ intent }, index) => [intent.id, located[index]]));
  await Promise.all(
    all.map(async (applying) => {
      const open = applying.intents.filter((intent) => intent.state === "intended");
      if (open.length === 0) return;
      const doubt = doubtLeft(
        context,
        open.filter((intent) => needsLookUp(intent) && foundBy.get(intent.id) === undefined),
      );
      try {
        await transact(context.db, async (tx) => {
          await context.lanes.holdFence(tx, applying.item.lane);
          for (const intent of open) {
            const resultId = foundBy.get(intent.id);
            if (resultId !== undefined) await recordDone(context, tx, side, applying, intent, resultId);
            else if (doubt === 0 || !needsLookUp(intent)) await settleIntent(tx, intent.id, { state: "absent" });
          }
        });
        if (doubt > 0) errors.set(applying, new StillInDoubt(doubt));
      } catch (error) {
        errors.set(applying, error);
      }
    }),
  );
  return errors;
}

/** How often look-alikes are told apart from what is looked for; each time one call for all. */
const mostLookAlikes = 5;

/** Looks lost writes up. A record that another twin holds is not the one that was lost, however like it: the look goes on without it. */
async function locateOurs(
  context: SyncContext,
  side: SideRow,
  connector: Connector,
  lost: readonly { readonly applying: Applying; readonly lostWrite: LostWrite }[],
): Promise<(string | undefined)[]> {
  const results: (string | undefined)[] = lost.map(() => undefined);
  const known = lost.map(({ lostWrite }) => [...lostWrite.known]);
  let open = lost.map((_, index) => index);
  for (let look = 0; look < mostLookAlikes && open.length > 0; look++) {
    const located = await connector.locate(
      open.flatMap((index) => (lost[index] === undefined ? [] : [{ ...lost[index].lostWrite, known: known[index] ?? [] }])),
    );
    const again: number[] = [];
    for (const [place, index] of open.entries()) {
      const id = located[place];
      const { operation } = lost[index]?.lostWrite ?? {};
      const holders = id === undefined || operation?.kind !== "create" ? [] : await twinsOfRecords(context.db, side.id, operation.entityType, [id]);
      if (holders.some(({ twinId, candidate }) => twinId !== lost[index]?.applying.twin.id && !candidate)) {
        known[index]?.push(id ?? "");
        again.push(index);
      } else results[index] = id;
    }
    open = again;
  }
  return results;
}

/** Takes a write into account of which nobody knows whether it happened: what it would have done is ours if it is there. */
function countPerhaps({ done }: Applying, { operation }: Intent): void {
  if (operation.kind === "update") Object.assign(done.fields, operation.fields);
  if (operation.kind === "editComment" || operation.kind === "removeComment") done.touched.add(operation.commentId);
  if (operation.kind === "removeAttachment") done.touched.add(operation.attachmentId);
}

/** Writes that can be repeated (updates, edits, removals) need no look-up: the next difference decides. */
function needsLookUp({ operation }: Intent): boolean {
  return operation.kind === "create" || operation.kind === "addComment" || operation.kind === "addAttachment";
}

function lostWriteOf(side: SideRow, applying: Applying, intent: Intent): LostWrite | undefined {
  const { operation, marker } = intent;
  const since = intent.intendedAt.toISOString();
  const accounted = [
    ...applying.traces.map((trace) => (trace.mirrorSideId === side.id ? trace.mirrorId : trace.originId)),
    ...applying.intents.flatMap((other) => (other.resultId === null ? [] : [other.resultId])),
  ];
  if (operation.kind === "create")
    return { operation: { kind: "create", entityType: operation.entityType, fields: operation.fields, marker }, since, known: accounted };
  if (operation.kind !== "addComment" && operation.kind !== "addAttachment") return undefined;
  const ref = { type: operation.entityType, id: operation.entityId };
  if (operation.kind === "addComment")
    return { operation: { kind: "addComment", ref, body: operation.body, internal: operation.internal, marker }, since, known: accounted };
  const { filename, mimetype, filesize } = operation;
  return { operation: { kind: "addAttachment", ref, filename, mimetype, filesize, marker }, since, known: accounted };
}
