import { wakeRunners } from "../lanes/wake.ts";
import type { Json } from "../replica/json.ts";
import type { SideRow } from "../store/configuration.ts";
import type { Tx } from "../store/database.ts";
import { storeMessage } from "../store/messages.ts";
import type { TwinId } from "../store/schema.ts";
import { recordSent } from "../store/twins.ts";
import type { SyncContext } from "./context.ts";
import type { RichPath } from "./dialects.ts";
import { applyJob } from "./jobs.ts";

export interface Outgoing {
  readonly twinId: TwinId;
  readonly replica: Json;
  readonly hash: string;
  /** What the other side was held to know before. */
  readonly previous: Json | null;
  /** Where the replica holds rich text: see dialects.ts. */
  readonly rich: readonly RichPath[];
  /** Number of this message among those of its side. */
  readonly sequence: number;
  /** The last message of the other side that was handled here. */
  readonly basis: number;
}

/**
 * Sends a replica: what the other side knows from now on, the number and the message, in the caller's transaction. Both sides
 * of the connection live on this node, so the message goes straight into the other side's inbox.
 */
export async function sendReplica(context: SyncContext, tx: Tx, side: SideRow, outgoing: Outgoing): Promise<void> {
  await recordSent(tx, outgoing.twinId, side.id, { replica: outgoing.replica, hash: outgoing.hash, sequence: outgoing.sequence });
  const messageId = await storeMessage(tx, {
    connectionId: side.connectionId,
    twinId: outgoing.twinId,
    fromSideId: side.id,
    toSideId: side.remote.id,
    sequence: outgoing.sequence,
    kind: "replica",
    body: outgoing.replica,
    previous: outgoing.previous,
    rich: outgoing.rich.length === 0 ? null : outgoing.rich,
    basis: outgoing.basis,
    state: "received",
  });
  if (messageId === undefined) throw new Error(`Message ${outgoing.sequence} of twin ${outgoing.twinId} exists already.`);
  await context.lanes.enqueue(tx, [applyJob({ connectionId: side.connectionId, twinId: outgoing.twinId, sideId: side.remote.id, messageId })]);
  await wakeRunners(tx);
}
