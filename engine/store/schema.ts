import type { ColumnType, Generated, JSONColumnType } from "kysely";
import type { Json } from "../replica/json.ts";

/** A row's id; the name keeps a twin's id from being passed where a side's is due. */
export type Id<Name extends string> = string & { readonly __id: Name };
export type InstanceId = Id<"instance">;
export type ConnectionId = Id<"connection">;
export type SideId = Id<"side">;
export type WatchId = Id<"watch">;
export type VersionId = Id<"version">;
export type LibraryVersionId = Id<"library version">;
export type TwinId = Id<"twin">;
export type RunId = Id<"run">;
export type RunnerId = Id<"runner">;
export type SampleId = Id<"sample">;

type Timestamp = ColumnType<Date, Date | string | undefined, Date | string>;
type NullableTimestamp = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
/** JSON is handed to the driver as text, so that a top-level array or string is not taken for something else. */
type JsonColumn<T = Json> = ColumnType<T, string, string>;
type NullableJson<T = Json> = ColumnType<T | null, string | null | undefined, string | null>;

export type Position = "left" | "right";
export type Direction = "outgoing" | "incoming";

/** Why something stands still, as shown to people. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly advice?: string;
}

export interface SettingTable {
  key: string;
  value: JsonColumn;
}

export interface InstanceTable {
  id: Generated<InstanceId>;
  name: string;
  platform: string;
  /** The connector's configuration without secrets. */
  config: JsonColumn<Record<string, Json>>;
  poll_interval_ms: number;
  /** Set while the instance is stopped because its sign-in does not work. */
  stopped: NullableJson<Problem>;
  /** Whether its connector can listen to events as it is configured; null while nobody has asked it. */
  listens: Generated<boolean | null>;
  created_at: Timestamp;
}

export interface ListeningTable {
  instance_id: InstanceId;
  owner: Generated<RunnerId | null>;
  locked_until: NullableTimestamp;
  fence: Generated<number>;
  /** Where to go on; the connector's own. */
  position: Generated<string | null>;
  heard_at: NullableTimestamp;
  attempts: Generated<number>;
  start_after: Timestamp;
  problem: NullableJson<Problem>;
}

export interface SweepTable {
  side_id: SideId;
  after: Generated<number>;
  began_at: Timestamp;
  due_at: Timestamp;
}

export interface SignInTable {
  state_hash: string;
  instance_id: InstanceId;
  verifier: JSONColumnType<SealedSecret>;
  redirect_uri: string;
  author: string;
  began_at: Timestamp;
}

export interface WebhookDeliveryTable {
  instance_id: InstanceId;
  delivery_id: string;
  received_at: Timestamp;
}

export interface SecretTable {
  instance_id: InstanceId;
  name: string;
  sealed: JSONColumnType<SealedSecret>;
  /** Keyed hash of the text, to see whether it changed without opening it. */
  fingerprint: string;
  /** True for one that the node obtained by itself. */
  kept: Generated<boolean>;
  /** The fingerprint of what a configuration said last; null where none did. */
  given: string | null;
}

/** Envelope: the text under a one-time key, that key under the node's key. All parts base64. */
export interface SealedSecret {
  readonly version: 1;
  readonly keyId: string;
  readonly nonce: string;
  readonly tag: string;
  readonly text: string;
  readonly keyNonce: string;
  readonly keyTag: string;
  readonly wrappedKey: string;
}

export interface ConnectionTable {
  id: Generated<ConnectionId>;
  name: string;
  active: Generated<boolean>;
  created_at: Timestamp;
  /** How long and how many recorded runs are kept; null for the node's own setting. */
  keep_runs_days: number | null;
  keep_runs: number | null;
  /** What runs of its rules may use, by the names of the sandbox's limits; what is not here is the node's own. */
  limits: ColumnType<Record<string, number>, string | undefined, string>;
}

/** A table of values as runs are given it: see MappingTable of the rules. */
export interface StoredMapping {
  readonly outgoing: Readonly<Record<string, Json>>;
  readonly incoming: Readonly<Record<string, Json>>;
  readonly otherwise?: Json;
}

export interface MappingSetTable {
  /** Of the canonical text of `tables`. */
  hash: string;
  tables: JsonColumn<Record<string, StoredMapping>>;
  created_at: Timestamp;
}

export interface SideTable {
  id: Generated<SideId>;
  connection_id: ConnectionId;
  position: Position;
  /** Short name, unique within the connection. */
  name: string;
  instance_id: InstanceId;
  mappings_hash: string | null;
  /** Names of fields whose values recorded runs must not show. */
  redact: ColumnType<string[], string | undefined, string>;
  /** What rules of the side may write to by `platform.request`. */
  allow: ColumnType<AllowedWrite[], string | undefined, string>;
}

/** A path of a platform's own REST API that rules may write to, with the one method that it is open for. */
export interface AllowedWrite {
  readonly method: "POST" | "PUT" | "PATCH" | "DELETE";
  /** `/api/thing/1` that path alone, `/api/thing/*` every path below `/api/thing/`. */
  readonly path: string;
}

/** What is polled: a trigger (a query that starts syncs) or the records already tied (every change of the type, filtered to twins). */
export interface WatchTable {
  id: Generated<WatchId>;
  side_id: SideId;
  kind: "trigger" | "twins";
  entity_type: string;
  query: string;
  active: Generated<boolean>;
  cursor: string | null;
  /** Where to start while there is no cursor. */
  since: Timestamp;
  poll_after: Timestamp;
  locked_until: NullableTimestamp;
  owner: RunnerId | null;
  fence: Generated<number>;
  problem: NullableJson<Problem>;
  /** Hints given so far. */
  hints: Generated<number>;
}

export interface RuleVersionTable {
  id: Generated<VersionId>;
  side_id: SideId;
  direction: Direction;
  number: number;
  source: string;
  /** The source with its types blanked: what runs. */
  code: string;
  declarations_hash: string;
  note: string;
  author: string;
  created_at: Timestamp;
  /** What the check before publishing found; null for versions made before reports were kept. */
  report: NullableJson;
}

/** A shared library's text as it was published. Immutable. */
export interface LibraryVersionTable {
  id: Generated<LibraryVersionId>;
  library: string;
  number: number;
  source: string;
  /** Of the text: what a rule was compiled with is compared by it. */
  hash: string;
  note: string;
  author: string;
  created_at: Timestamp;
}

export interface LibraryTable {
  name: string;
  active_version_id: LibraryVersionId;
}

export interface RuleVersionLibraryTable {
  rule_version_id: VersionId;
  library_version_id: LibraryVersionId;
}

/** The declarations that versions were checked against, by their hash. */
export interface DeclarationTable {
  hash: string;
  content: string;
  created_at: Timestamp;
}

/** A text that somebody works on: one for each side and direction, or for each library, shared by all who edit. */
export interface DraftTable {
  side_id: SideId | null;
  direction: Direction | null;
  library: string | null;
  source: string;
  /** Number of the version that was active when the draft was begun; null when there was none. */
  based_on: number | null;
  /** New with each save, never given twice. */
  revision: Generated<number>;
  author: string;
  created_at: Timestamp;
  updated_at: Timestamp;
}

export interface SampleTable {
  id: Generated<SampleId>;
  side_id: SideId;
  direction: Direction;
  name: string;
  /** As in a sample file. */
  content: JsonColumn;
  pinned: boolean;
  /** The recorded run that it was made of. */
  run_id: RunId | null;
  author: string;
  updated_at: Timestamp;
}

/** What the last look at the live schema found about an active rule. */
export interface DriftTable {
  side_id: SideId;
  direction: Direction;
  /** The version looked at: when another one is active now, the look says nothing. */
  version_id: VersionId;
  checked_at: Timestamp;
  declarations_hash: string | null;
  changed: boolean;
  /** Lines of the declarations that went and came. */
  changes: JsonColumn<{ readonly op: "-" | "+"; readonly text: string }[]>;
  /** What the active text does wrong now. */
  breaks: JsonColumn<
    {
      readonly code: string;
      readonly message: string;
      readonly line: number;
      readonly column: number;
      readonly suggestion?: string | undefined;
      /** `lib/status` when the place is in a shared library. */
      readonly file?: string | undefined;
    }[]
  >;
  /** Why the schema could not be read. */
  problem: NullableJson<Problem>;
}

export interface ChoreTable {
  name: string;
  due_at: Timestamp;
}

export interface RuleTable {
  side_id: SideId;
  direction: Direction;
  active_version_id: VersionId;
}

export interface TwinTable {
  id: Generated<TwinId>;
  /** Counts up; what lists are paged by. */
  number: Generated<number>;
  connection_id: ConnectionId;
  /** candidate: nothing on the other side yet. */
  state: "candidate" | "tied" | "ended";
  created_at: Timestamp;
}

export interface TwinSideTable {
  twin_id: TwinId;
  side_id: SideId;
  entity_type: string | null;
  entity_id: string | null;
  entity_key: string | null;
  entity_url: string | null;
  /** True when several twins share this record on purpose. */
  shared: Generated<boolean>;
  /** False once the tie ended, so that the record may be tied anew. */
  active: Generated<boolean>;
  /** The version of the local record that was last handled. */
  seen_version: string | null;
  /** Since when the local record is known to be gone. */
  missing_since: NullableTimestamp;
  /** The replica that the other side knows: last sent, or brought about by the last one applied here. */
  sent: NullableJson;
  sent_hash: string | null;
  /** Number of the last message from this side. */
  sent_sequence: Generated<number>;
  /** Number of the last replica among them. */
  replica_sequence: Generated<number>;
  /** The last replica applied here. */
  received: NullableJson;
  /** Number of the last replica of the other side that was handled here. */
  received_sequence: Generated<number>;
}

export interface TraceTable {
  id: Generated<number>;
  twin_id: TwinId;
  kind: "comment" | "attachment";
  /** Where the original is. */
  origin_side_id: SideId;
  origin_id: string;
  mirror_side_id: SideId;
  mirror_id: string;
  created_at: Timestamp;
}

export type MessageKind = "replica" | "ack";
export type MessageState = "received" | "applied" | "skipped";

export interface MessageTable {
  id: Generated<number>;
  connection_id: ConnectionId;
  twin_id: TwinId;
  from_side_id: SideId;
  to_side_id: SideId;
  sequence: number;
  kind: MessageKind;
  body: JsonColumn;
  /** What the sender held the other side to know before this message; null once settled, and on a first message. */
  previous: NullableJson;
  /** The local record as it was before anything was written for this message; null until then, and once settled. */
  found: NullableJson;
  /** Where `body` holds HTML that came from a rich field: lists of member names. Null for nowhere. */
  rich: NullableJson<readonly (readonly string[])[]>;
  /** The last message of the other side that the sender had handled: tells edits made at the same time on both sides. */
  basis: number;
  state: MessageState;
  /** Why it was skipped, in words. */
  reason: string | null;
  created_at: Timestamp;
  settled_at: NullableTimestamp;
}

export interface IntentTable {
  id: Generated<number>;
  message_id: number;
  twin_id: TwinId;
  side_id: SideId;
  ordinal: number;
  marker: string;
  /** The operation without its bytes, and what it mirrors. */
  operation: JsonColumn;
  state: "intended" | "done" | "refused" | "absent";
  result_id: string | null;
  error: NullableJson<Problem>;
  intended_at: Timestamp;
  /** While still `intended`: when the answer failed to come. */
  settled_at: NullableTimestamp;
}

export interface RunTable {
  id: Generated<RunId>;
  /** Counts up; what lists are paged by. */
  number: Generated<number>;
  connection_id: ConnectionId;
  side_id: SideId;
  twin_id: TwinId | null;
  version_id: VersionId;
  direction: Direction;
  outcome: "ok" | "skipped" | "failed" | "waiting" | "error";
  /** Said by skip, fail or the engine. */
  reason: string | null;
  input: JsonColumn;
  calls: JsonColumn;
  output: NullableJson;
  console: JsonColumn<string[]>;
  error: NullableJson;
  cpu_ms: number;
  wall_ms: number;
  created_at: Timestamp;
  /** The mapping tables of the input, which is stored without them. */
  mappings_hash: string | null;
  withheld: NullableJson<Withheld>;
}

/** What a recorded run does not show as it was. */
export interface Withheld {
  /** Marked fields that were in it. */
  readonly fields: readonly string[];
  /** True when a secret of an instance was in it. */
  readonly secrets: boolean;
  /** Parts left out because the run was too large: `input.entity.description`. */
  readonly cut: readonly string[];
}

export interface FailureTable {
  id: Generated<number>;
  lane_key: string;
  job_id: number;
  connection_id: ConnectionId;
  twin_id: TwinId | null;
  side_id: SideId | null;
  run_id: RunId | null;
  code: string;
  /** Whose turn it is. */
  fault: "rule" | "platform" | "operator" | "isobridge";
  message: string;
  advice: string | null;
  /** Rule name, version, line, column, fields: whatever points at the place. */
  detail: JsonColumn<Record<string, Json>>;
  created_at: Timestamp;
  resolved_at: NullableTimestamp;
  resolution: "retried" | "skipped" | null;
}

export interface LaneTable {
  key: string;
  connection_id: ConnectionId;
  ready_at: Timestamp;
  locked_until: NullableTimestamp;
  owner: RunnerId | null;
  fence: Generated<number>;
  pending: Generated<number>;
  /** The job that a failure stopped the lane at. */
  blocked_by: number | null;
  attempts: Generated<number>;
  /** The side whose rule waits for another twin, and the key or id of the remote record that is to be tied; null unless the lane waits. */
  waiting_side: Generated<SideId | null>;
  waiting_for: Generated<string | null>;
}

export interface JobTable {
  id: Generated<number>;
  lane_key: string;
  kind: string;
  payload: JsonColumn;
  /** While a job with this key waits, another one is not queued; cleared when the job is claimed. */
  dedupe_key: string | null;
  created_at: Timestamp;
}

export interface RunnerTable {
  id: Generated<RunnerId>;
  host: string;
  /** Tells processes of this host apart over restarts; see runner-identity. */
  process: string;
  pid: number;
  started_at: Timestamp;
  heartbeat_at: Timestamp;
}

export const roles = ["viewer", "editor", "publisher", "operator", "admin"] as const;
export type Role = (typeof roles)[number];

export interface ApiTokenTable {
  id: Generated<string>;
  name: string;
  hash: string;
  role: Generated<Role>;
  created_at: Timestamp;
}

export interface Database {
  setting: SettingTable;
  instance: InstanceTable;
  secret: SecretTable;
  listening: ListeningTable;
  webhook_delivery: WebhookDeliveryTable;
  sign_in: SignInTable;
  sweep: SweepTable;
  connection: ConnectionTable;
  side: SideTable;
  watch: WatchTable;
  mapping_set: MappingSetTable;
  declaration: DeclarationTable;
  draft: DraftTable;
  sample: SampleTable;
  drift: DriftTable;
  chore: ChoreTable;
  library: LibraryTable;
  library_version: LibraryVersionTable;
  rule_version_library: RuleVersionLibraryTable;
  rule_version: RuleVersionTable;
  rule: RuleTable;
  twin: TwinTable;
  twin_side: TwinSideTable;
  trace: TraceTable;
  message: MessageTable;
  intent: IntentTable;
  run: RunTable;
  failure: FailureTable;
  lane: LaneTable;
  job: JobTable;
  runner: RunnerTable;
  api_token: ApiTokenTable;
}
