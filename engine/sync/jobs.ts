import { z } from "zod";
import type { NewJob } from "../lanes/lanes.ts";
import type { Json } from "../replica/json.ts";
import type { ConnectionId, SideId, TwinId } from "../store/schema.ts";

/** All work on one twin goes through one lane, whatever side it is for: reading a record while we write it would mistake our edit for a person's. */
function laneOf(twinId: TwinId): string {
  return `${twinLanePrefix}${twinId}`;
}

/** What the names of the lanes of twins begin with. */
export const twinLanePrefix = "twin:";

export interface ObserveWork {
  readonly connectionId: ConnectionId;
  readonly twinId: TwinId;
  /** The side whose record is to be looked at. */
  readonly sideId: SideId;
  /** True when its replica is to be sent even if the other side is held to know it. */
  readonly anyway?: boolean;
}

export interface ApplyWork extends Omit<ObserveWork, "anyway"> {
  /** The side that received. */
  readonly sideId: SideId;
  readonly messageId: number;
}

/** Look at a record. Named five times while waiting, it is looked at once. */
export function observeJob(work: ObserveWork): NewJob {
  return {
    laneKey: laneOf(work.twinId),
    connectionId: work.connectionId,
    kind: "observe",
    payload: { twinId: work.twinId, sideId: work.sideId, ...(work.anyway === true ? { anyway: true } : {}) },
    dedupeKey: `observe:${work.sideId}${work.anyway === true ? ":anyway" : ""}`,
  };
}

/** Carry a message that arrived into the local record. */
export function applyJob(work: ApplyWork): NewJob {
  return {
    laneKey: laneOf(work.twinId),
    connectionId: work.connectionId,
    kind: "apply",
    payload: { twinId: work.twinId, sideId: work.sideId, messageId: work.messageId },
  };
}

const observePayload = z.object({ twinId: z.string(), sideId: z.string(), anyway: z.boolean().default(false) });
const applyPayload = z.object({ twinId: z.string(), sideId: z.string(), messageId: z.number() });

/** A job as it was stored by the functions above. */
export function parseJob(
  kind: string,
  payload: Json,
): { kind: "observe"; twinId: TwinId; sideId: SideId; anyway: boolean } | { kind: "apply"; twinId: TwinId; sideId: SideId; messageId: number } {
  // Ids come back from our own table as the text that went in; the brands are put on again here.
  if (kind === "observe") return { kind, ...(observePayload.parse(payload) as { twinId: TwinId; sideId: SideId; anyway: boolean }) };
  if (kind === "apply") return { kind, ...(applyPayload.parse(payload) as { twinId: TwinId; sideId: SideId; messageId: number }) };
  throw new Error(`There is no work of the kind ${kind}.`);
}
