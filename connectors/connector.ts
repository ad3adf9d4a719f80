import type { Readable } from "node:stream";
import type { ConnectorError } from "./errors.ts";

/** JSON as it travels. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** Points at one record of one instance. `type` is the platform's own name of the kind (`Case`, `incident`). */
export interface EntityRef {
  readonly type: string;
  /** The platform's stable id: an 18-character Salesforce id, a ServiceNow sys_id. */
  readonly id: string;
}

export interface Person {
  readonly id: string;
  readonly displayName?: string;
  readonly email?: string;
  readonly username?: string;
}

/** A reference field's value. */
export type Reference = {
  readonly id: string;
  readonly display: string;
  readonly type: string;
};

export interface Comment {
  readonly id: string;
  /** Text in the platform's own dialect. */
  readonly body: string;
  /** True for work notes and private comments. */
  readonly internal: boolean;
  readonly author: Person | null;
  /** ISO 8601 in UTC. */
  readonly created: string;
  readonly updated: string;
}

export interface Attachment {
  readonly id: string;
  readonly filename: string;
  readonly mimetype: string;
  /** Bytes. */
  readonly filesize: number;
  /** A content hash, where the platform gives one. */
  readonly hash?: string;
  readonly author: Person | null;
  readonly created: string;
}

/** A record read whole. Values are what rules see: numbers as numbers, booleans as booleans, empty as null, instants as ISO 8601 UTC, references as {@link Reference}, choices by their value. */
export interface Entity {
  readonly ref: EntityRef;
  /** What people call it: `INC0010001`, a case number. */
  readonly key: string;
  /** Where a person opens it. */
  readonly url: string;
  /** Changes with each save on the platform; opaque. */
  readonly version: string;
  readonly fields: Readonly<Record<string, Json>>;
  /** Labels of choice fields: `{state: "In Progress"}`. */
  readonly display: Readonly<Record<string, string>>;
  /** Public comments, oldest first. */
  readonly comments: readonly Comment[];
  /** Internal ones, oldest first. */
  readonly internalComments: readonly Comment[];
  readonly attachments: readonly Attachment[];
  /** The marker that this record was created with, where the platform keeps it: tells a record that we made from one that a person made. */
  readonly marker?: string;
}

export type FieldType =
  | "text"
  | "longText"
  | "richText"
  | "integer"
  | "decimal"
  | "boolean"
  | "date"
  | "instant"
  | "duration"
  | "choice"
  | "choices"
  | "reference"
  | "references"
  | "computed"
  | "other";

export interface FieldSchema {
  readonly name: string;
  readonly label: string;
  readonly help?: string;
  readonly type: FieldType;
  readonly custom: boolean;
  readonly nullable: boolean;
  readonly readOnly: boolean;
  readonly requiredOnCreate: boolean;
  readonly maxLength?: number;
  /** For choice fields, in the platform's order. */
  readonly choices?: readonly { readonly value: string; readonly label: string }[];
  /** False when values beyond `choices` are accepted. */
  readonly closed?: boolean;
  /** For references: the entity types it may point at. */
  readonly references?: readonly string[];
}

export interface EntitySchema {
  readonly entityType: string;
  readonly label: string;
  readonly fields: readonly FieldSchema[];
  /** The field that says where the record stands in its workflow, set by `status(name)`. */
  readonly statusField?: string;
  /** True when the account may not read the dictionary and the fields were inferred from sampled records. */
  readonly sampled: boolean;
  readonly comments: boolean;
  readonly internalComments: boolean;
  readonly attachments: boolean;
}

/** What a platform can do, as data: the engine never asks which platform it is. */
export interface Capabilities {
  readonly editComment: boolean;
  readonly removeComment: boolean;
  readonly internalComments: boolean;
  readonly removeAttachment: boolean;
  /** Comments can be written in another user's name: `author` of an `addComment`. */
  readonly impersonation: boolean;
  /** Most records that one `read` or `write` call should carry. */
  readonly batchSize: number;
}

/**
 * One write. `marker` is text that we choose and that is unique to this write, so that it can be recognised afterwards. `author` is the id
 * of the user in whose name a comment is to be written, and is given only where `capabilities.impersonation` says that this is possible.
 */
export type WriteOperation =
  | { readonly kind: "create"; readonly entityType: string; readonly fields: Readonly<Record<string, Json>>; readonly marker: string }
  | { readonly kind: "update"; readonly ref: EntityRef; readonly fields: Readonly<Record<string, Json>> }
  | { readonly kind: "delete"; readonly ref: EntityRef }
  | {
      readonly kind: "addComment";
      readonly ref: EntityRef;
      readonly body: string;
      readonly internal: boolean;
      readonly marker: string;
      readonly author?: string;
    }
  | { readonly kind: "editComment"; readonly ref: EntityRef; readonly commentId: string; readonly body: string }
  | { readonly kind: "removeComment"; readonly ref: EntityRef; readonly commentId: string }
  | {
      readonly kind: "addAttachment";
      readonly ref: EntityRef;
      readonly filename: string;
      readonly mimetype: string;
      /** Bytes. */
      readonly filesize: number;
      /** Opens the bytes; called at most once per try. */
      readonly open: () => Promise<Readable>;
      readonly marker: string;
    }
  | { readonly kind: "removeAttachment"; readonly ref: EntityRef; readonly attachmentId: string };

/** The outcome of one write; each item of a batch has its own. */
export type WriteOutcome =
  /** `id` is the record, comment or attachment written. `dropped` lists fields that the platform did not keep as given. */
  | { readonly ok: true; readonly id: string; readonly dropped?: readonly string[] }
  /** `error.uncertain` says that it may have happened all the same: ask `locate` before repeating. */
  | { readonly ok: false; readonly error: ConnectorError };

/** A write of which nobody knows whether it happened. */
export interface LostWrite {
  readonly operation: Extract<WriteOperation, { kind: "create" | "addComment" }> | Omit<Extract<WriteOperation, { kind: "addAttachment" }>, "open">;
  /** When it was intended, ISO 8601 UTC: nothing older can be it. */
  readonly since: string;
  /** Ids (comments, attachments, records) already accounted for: never an answer. */
  readonly known: readonly string[];
}

export type ReadOutcome = { readonly ok: true; readonly entity: Entity } | { readonly ok: false; readonly error: ConnectorError };

/** A typed condition of a look-up; the connector escapes. */
export interface Condition {
  readonly field: string;
  readonly operator: "=" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "contains" | "startsWith";
  readonly value: Json;
}

export interface Watch {
  readonly entityType: string;
  /** The trigger's query in the platform's own language; empty means every record of the type. */
  readonly query: string;
}

export interface WatchedChange {
  readonly ref: EntityRef;
  /** The same as `Entity.version` of the state that was seen, so that a state already handled is recognised. */
  readonly version: string;
  /** True when the platform itself says that the record was deleted; a record that is merely gone from sight is never reported so. A record restored later is an ordinary change. */
  readonly deleted?: boolean;
  /** Where the record was merged into another one, that other one. Comes with `deleted`. */
  readonly mergedInto?: EntityRef;
}

export interface WatchPage {
  readonly changes: readonly WatchedChange[];
  /** Opaque to the engine; stored only after the changes are safely queued. */
  readonly cursor: string;
  /** True when asking again at once would give more. */
  readonly more: boolean;
}

/**
 * What a platform said unasked: look again. It is never believed beyond that, as events come late, twice, out of order, or from
 * somebody else: the poll that it hastens finds out what is true.
 */
export interface Hint {
  /** Absent when anything may have changed. */
  readonly entityType?: string;
  /** Where to go on listening after this hint was stored; opaque to the engine. */
  readonly position?: string;
}

/** A call to the node's webhook address of an instance, as it came. */
export interface WebhookCall {
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The raw bytes: signatures are over these. */
  readonly body: Buffer;
  /** Milliseconds since 1970, by the node's clock. */
  readonly receivedAt: number;
}

/** What a webhook call meant. A call that cannot be trusted is refused by a thrown PERMISSION, one that makes no sense by BAD_REQUEST. */
export interface WebhookReading {
  readonly hints: readonly Hint[];
  /** Tells repeated deliveries apart, where the platform gives something that can. */
  readonly deliveryId?: string;
  /** What the platform wants to hear once the hints are stored. */
  readonly answer: { readonly status: number; readonly contentType: string; readonly body: string };
}

/** How much of the platform's own allowance is used, as far as its answers have said. */
export interface Allowance {
  readonly used: number;
  readonly max: number;
}

export interface HealthReport {
  readonly account: string;
  readonly problems: readonly string[];
}

/**
 * Speaks one instance of one platform. Reads and writes many at a time. Every method may throw a {@link ConnectorError};
 * methods with per-item outcomes throw only when the whole call failed before any item was sent.
 */
export interface Connector {
  readonly platform: string;
  readonly capabilities: Capabilities;

  /** Signs in and asks for the least that tells whether the account works. */
  check(): Promise<HealthReport>;

  /** The schema of one entity type; cached by the connector for a while. BAD_REQUEST for an unknown type. */
  describe(entityType: string): Promise<EntitySchema>;

  /** Checks a trigger's query with the platform; throws BAD_REQUEST that says what is wrong with it. */
  checkQuery(watch: Watch): Promise<void>;

  /** Reads records whole, with comments and attachment metadata, in few calls. Same length and order as `refs`. */
  read(refs: readonly EntityRef[]): Promise<readonly ReadOutcome[]>;

  /** Looks records up. At most `limit`. Fields only: comments and attachments are empty. */
  find(entityType: string, conditions: readonly Condition[], limit: number): Promise<readonly Entity[]>;

  /** Finds a record by the key that people use (number, case number) or by its id. */
  findByKey(entityType: string, key: string): Promise<EntityRef | undefined>;

  /** A user of the platform. */
  findUser(by: { readonly email: string } | { readonly username: string }): Promise<Person | undefined>;

  /**
   * Lists what changed since the cursor: new and edited records, new comments and new attachments, each record once a page,
   * oldest first. Never loses rows that share a second or commit late; may repeat (same ref and version).
   * Without a cursor it starts at `since` (ISO 8601), or now.
   */
  poll(watch: Watch, cursor: string | undefined, limit: number, since?: string): Promise<WatchPage>;

  /** Writes many; same length and order as `operations`. Operations on the same record are done in the order given. */
  write(operations: readonly WriteOperation[]): Promise<readonly WriteOutcome[]>;

  /** Looks for writes whose answer was lost. The id where it happened, undefined where it surely did not. */
  locate(lost: readonly LostWrite[]): Promise<readonly (string | undefined)[]>;

  /**
   * Which of these records are surely gone, for platforms that do not tell of every delete; absent where there is no telling.
   * Being hidden or out of reach is never being gone. A record named here has been looked for twice.
   */
  readonly missing?: (refs: readonly EntityRef[]) => Promise<readonly EntityRef[]>;

  /** Streams the bytes of an attachment. */
  openAttachment(ref: EntityRef, attachmentId: string): Promise<Readable>;

  /** The platform's REST API with this account, for rules that need more. `path` is relative to the instance. */
  request(method: string, path: string, body?: Json): Promise<Json>;

  /**
   * Listens to the platform's own events until `signal` aborts, where the instance is configured for it; absent otherwise.
   * Without a `position` it gives a hint as soon as nothing that happens from then on can escape it.
   * Hints are given one at a time, those that come meanwhile together in the next ones.
   * `onHint` has stored the hint's position once it resolves. Rejects with a {@link ConnectorError} when listening broke off
   * (the engine starts again, later each time); with CURSOR_LOST when `position` is too old, after which it is started without one.
   */
  readonly listen?: (position: string | undefined, entityTypes: readonly string[], onHint: (hint: Hint) => Promise<void>, signal: AbortSignal) => Promise<void>;

  /** Reads a call to the instance's webhook address, where the instance is configured for it; absent otherwise. */
  readonly receive?: (call: WebhookCall) => Promise<WebhookReading>;

  /** How many platform calls were made so far, for budgets and metrics. */
  calls(): number;

  /** The platform's allowance, where it tells. */
  allowance?(): Allowance | undefined;

  close(): Promise<void>;
}
