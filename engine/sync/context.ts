import type { Logger } from "pino";
import type { Lanes } from "../lanes/lanes.ts";
import type { RuleCompiler } from "../rules/compile.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Db } from "../store/database.ts";
import type { Vault } from "../store/secrets.ts";
import type { Instances } from "./connector-pool.ts";

/** What every step of a sync needs. Time, randomness and ids come in here, so that a test can own them. */
export interface SyncContext {
  readonly db: Db;
  readonly lanes: Lanes;
  readonly sandbox: Sandbox;
  readonly connectors: Instances;
  readonly vault: Vault;
  /** Checks rules; made when first asked for. Without it a runner does not look for drift. */
  readonly compiler?: () => Promise<RuleCompiler>;
  readonly log: Logger;
  readonly now: () => Date;
  /** In [0, 1). */
  readonly random: () => number;
  readonly newId: () => string;
  /** Called at named points of the way of a change; crash tests end the process there. */
  readonly passing: (point: CrashPoint) => void;
  /** Waiting times other than `usualPace`. */
  readonly pace?: Partial<Pace>;
}

/** How long to wait for what passes by itself, in milliseconds. */
export interface Pace {
  /** While an instance is stopped, its lanes and polls look again this often. */
  readonly stoppedMs: number;
  /** How soon a rule that waits for another twin is run again if nothing woke it: the tie does, so this is for what nobody foresaw. */
  readonly waitingMs: number;
  /**
   * How long after a write whose answer never came the platform may still be at it: only when so much time has passed is a
   * write that cannot be found held not to have happened.
   */
  readonly doubtMs: number;
}

const usualPace: Pace = { stoppedMs: 15_000, waitingMs: 300_000, doubtMs: 10_000 };

export function paceOf(context: Pick<SyncContext, "pace">): Pace {
  return { ...usualPace, ...context.pace };
}

/** The places at which a crash must do no harm. */
export const crashPoints = [
  "observe.read",
  "observe.before-send",
  "observe.sent",
  "apply.start",
  "apply.intended",
  "apply.written",
  "apply.recorded",
  "apply.comments-written",
  "apply.read-back",
  "apply.finished",
] as const;
export type CrashPoint = (typeof crashPoints)[number];
