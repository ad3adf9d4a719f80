/**
 * What `import … from "isobridge"` gives. Written by hand, so that a project can use it whatever its compiler makes of our sources; a test holds
 * it against them.
 */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export interface EntityRef {
  readonly type: string;
  readonly id: string;
}

export type Direction = "outgoing" | "incoming";

/** What a run of a rule comes to. */
export type Outcome = ReplicaOutcome | ChangeOutcome | { readonly nothing: true } | EndedOutcome | ErrorOutcome;

interface AlsoAsked {
  readonly startSync?: readonly EntityRef[];
  readonly syncBack?: true;
  readonly unlink?: true;
}

/** An outgoing rule's replica. */
export interface ReplicaOutcome extends AlsoAsked {
  readonly replica: { readonly [key: string]: Json };
}

/** What an incoming rule changed: only what differs, only parts that are not empty. */
export interface ChangeOutcome extends AlsoAsked {
  /** On a create: what is made. */
  readonly entityType?: string;
  readonly fields?: Readonly<Record<string, Json>>;
  readonly comments?: {
    readonly added?: readonly { readonly body: string; readonly internal?: true; readonly remoteId?: string; readonly author?: Json; readonly track?: true }[];
    readonly edited?: readonly { readonly id: string; readonly body: string }[];
    readonly removed?: readonly string[];
  };
  readonly attachments?: {
    readonly added?: readonly { readonly remoteId: string; readonly filename: string; readonly mimetype: string; readonly filesize: number }[];
    readonly removed?: readonly string[];
  };
  readonly status?: string;
  readonly linkTo?: EntityRef;
}

export type EndedOutcome = { readonly skipped: string } | { readonly failed: string } | { readonly waiting: string };

export interface ErrorOutcome {
  readonly error: { readonly code: string; readonly message: string; readonly line?: number; readonly column?: number };
}

export type RecordedAnswer = { readonly call: { readonly name: string; readonly args: readonly Json[] } } & (
  | { readonly value: Json }
  | { readonly error: { readonly code: string; readonly message: string } }
);

/** Fields beside `key`, `url`, `display`, `comments`, …, all of which may be left out. */
export type SampleEntity = { readonly entityType: string } & { readonly [field: string]: Json };

interface SampleBase {
  readonly note?: string;
  readonly pinned?: boolean;
  readonly previous?: { readonly [key: string]: Json };
  readonly firstSync?: boolean;
  readonly mappings?: Readonly<
    Record<string, { readonly outgoing: Readonly<Record<string, Json>>; readonly incoming: Readonly<Record<string, Json>>; readonly otherwise?: Json }>
  >;
  readonly connection?: { readonly name: string; readonly local: string; readonly remote: string };
  /** Milliseconds, or ISO 8601. */
  readonly now?: number | string;
  readonly seed?: string;
  readonly answers?: readonly RecordedAnswer[];
  readonly expected?: Outcome;
}

export interface OutgoingSample extends SampleBase {
  readonly direction: "outgoing";
  readonly entity: SampleEntity;
}

export interface IncomingSample extends SampleBase {
  readonly direction: "incoming";
  readonly replica: { readonly [key: string]: Json };
  readonly entity?: SampleEntity;
  readonly traces?: {
    readonly comments?: Readonly<Record<string, string | { readonly localId: string }>>;
    readonly attachments?: Readonly<Record<string, string | { readonly localId: string }>>;
  };
}

export type Sample = OutgoingSample | IncomingSample;

/** A rule's file or text, on a sample (a file or an object), on members of a sample, or on a sample with some members replaced. */
export type RunRule = ({ readonly file: string | URL; readonly source?: never } | { readonly source: string; readonly file?: never }) & {
  /** If not given, that of the sample, else by the file's name: `outgoing.ts`, `incoming.ts`. */
  readonly direction?: Direction;
  readonly sample?: string | URL | Sample;
  /** Shared libraries by the name behind `lib/`, beside or instead of those in the folder's `lib/`. */
  readonly libraries?: Readonly<Record<string, string>>;
} & Partial<Omit<OutgoingSample, "direction"> & Omit<IncomingSample, "direction">>;

export interface Diagnostic {
  readonly code: string;
  readonly message: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
  readonly suggestion?: string;
  /** `lib/status` when the place is in a shared library. */
  readonly file?: string;
}

export interface Difference {
  readonly path: string;
  readonly expected?: Json;
  readonly actual?: Json;
  readonly text: string;
}

/**
 * Runs a rule as the node does: checked against the types beside it, in an isolate, with recorded answers only. Rejects with
 * {@link RuleDoesNotCheck}, {@link SampleError} or {@link RuleFolderError}; what the rule itself does wrong is an outcome.
 */
export function runRule(wanted: RunRule): Promise<Outcome>;
/** Everything that is wrong with a rule's file, by the types that were pulled beside it. Empty when it checks. */
export function checkRuleFile(file: string | URL, direction?: Direction): Promise<readonly Diagnostic[]>;
/** Ends the processes that rules run in. Without it they end by themselves after two seconds without work. */
export function closeRules(): Promise<void>;
export function readSample(path: string): Promise<Sample>;
/** Where two outcomes differ, place by place. */
export function differences(expected: Outcome, actual: Outcome): Difference[];
/** An outcome in a few words. */
export function outcomeInWords(outcome: Outcome): string;

export class RuleDoesNotCheck extends Error {
  readonly name: "RuleDoesNotCheck";
  readonly diagnostics: readonly Diagnostic[];
}
export class SampleError extends Error {
  readonly name: "SampleError";
  readonly problems: readonly string[];
}
export class RuleFolderError extends Error {
  readonly name: "RuleFolderError";
}
