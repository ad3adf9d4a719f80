import type { Intent } from "../store/messages.ts";
import { paceOf, type SyncContext } from "./context.ts";

/** A write whose answer never came cannot be found, but the platform may still be at it. */
export class StillInDoubt extends Error {
  override readonly name = "StillInDoubt";
  /** Milliseconds until it is worth looking again. */
  readonly waitMs: number;
  constructor(waitMs: number) {
    super("A write is in doubt: its answer never came, and the platform may still be at it.");
    this.waitMs = waitMs;
  }
}

/** Milliseconds until the last of these writes, none of which can be found, is held not to have happened. */
export function doubtLeft(context: Pick<SyncContext, "pace" | "now">, intents: readonly Intent[]): number {
  const last = Math.max(0, ...intents.map((intent) => (intent.doubtedAt ?? intent.intendedAt).getTime()));
  return intents.length === 0 ? 0 : Math.max(0, last + paceOf(context).doubtMs - context.now().getTime());
}
