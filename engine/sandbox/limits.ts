/** What one run may use. */
export interface Limits {
  /** Computing, in milliseconds. */
  readonly cpuMs: number;
  /** From start to end with all waiting for the host, in milliseconds. */
  readonly wallMs: number;
  /** Bytes of the program's text. */
  readonly sourceBytes: number;
  /** V8's own limit for the isolate, in megabytes: a guideline that V8 passes at will [M], hence `childMegabytes`. */
  readonly isolateMegabytes: number;
  /** What the kernel lets the child process allocate, in megabytes. */
  readonly childMegabytes: number;
  /** Bytes of what a run is given or gives back. */
  readonly resultBytes: number;
  readonly resultDepth: number;
  readonly resultKeys: number;
  readonly calls: number;
  readonly callsAtOnce: number;
  /** Bytes of one argument of a call. */
  readonly argumentBytes: number;
  readonly consoleLines: number;
  /** Characters of one console line. */
  readonly consoleLineLength: number;
}

export const defaultLimits: Limits = {
  cpuMs: 1_000,
  wallMs: 30_000,
  sourceBytes: 256 * 1024,
  isolateMegabytes: 64,
  childMegabytes: 400,
  resultBytes: 2 * 1024 * 1024,
  resultDepth: 64,
  resultKeys: 100_000,
  calls: 200,
  callsAtOnce: 8,
  argumentBytes: 256 * 1024,
  consoleLines: 1_000,
  consoleLineLength: 2_000,
};

/** The limits that one run may set for itself; the others belong to the pool. */
export type RunLimits = Partial<
  Pick<
    Limits,
    "cpuMs" | "wallMs" | "resultBytes" | "resultDepth" | "resultKeys" | "calls" | "callsAtOnce" | "argumentBytes" | "consoleLines" | "consoleLineLength"
  >
>;
