import type { Logger } from "pino";
import type { Lanes } from "../lanes/lanes.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Db } from "../store/database.ts";
import type { ConnectorPool } from "./connector-pool.ts";

/** What every step of a sync needs. Time, randomness and ids come in here, so that a test can own them. */
export interface SyncContext {
  readonly db: Db;
  readonly lanes: Lanes;
  readonly sandbox: Sandbox;
  readonly connectors: ConnectorPool;
  readonly log: Logger;
  readonly now: () => Date;
  /** In [0, 1). */
  readonly random: () => number;
  readonly newId: () => string;
  /** Called at named points of the way of a change; crash tests end the process there. */
  readonly passing: (point: CrashPoint) => void;
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
