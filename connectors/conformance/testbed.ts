import type { Connector, EntityRef, Json, Reference, WebhookCall } from "../connector.ts";
import type { PlannedAnswer, ProxiedRequest } from "./proxy.ts";

/**
 * What a platform supplies to be tested: an instance of its own for each test (a simulator, or a tenant that can be emptied), people who
 * work in it, and the hands of its administrator. Everything that is expected is said in terms of connector.ts, so nothing of a platform
 * stands in the suite itself: what differs is in {@link Facts}.
 */
export interface Testbed {
  /** Where the instance listens. The suite stands between it and the connector, and makes the troubles itself. */
  readonly url: string;
  readonly facts: Facts;
  /** A connector to the instance at another address. Its account sees all and may do all that the suite asks for, unless said otherwise. */
  connect(url: string, options?: ConnectOptions): Connector;
  /** The same account as a configuration file would name it, for a process of its own; with {@link Facts.events}, configured for them. */
  account(url: string): { readonly config: Json; readonly secrets: Readonly<Record<string, string>> };
  readonly people: People;
  readonly administrator: Administrator;
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** How long the connector may wait for one call. */
  readonly deadlineMs?: number;
  /** One of {@link Facts.wrongCredentials}. */
  readonly wrong?: string;
  /** With an account from which the platform hides what was deleted, where there are such. */
  readonly blindToDeletes?: boolean;
  /** Configured for the platform's own events, or for its calls to a webhook. */
  readonly push?: "events" | "webhook";
}

/** Values by the platform's own field names, as a person would type them; null empties a field. */
export type Values = Readonly<Record<string, string | null>>;

/** Somebody else than the connector's account. Each method resolves once the platform has acknowledged the change. */
export interface People {
  create(fields: Values): Promise<EntityRef>;
  edit(ref: EntityRef, fields: Values): Promise<void>;
  remove(ref: EntityRef): Promise<void>;
  /** Brings a deleted record back; absent where the platform cannot. */
  readonly restore?: (ref: EntityRef) => Promise<void>;
  /** Merges the second record into the first, which stays; absent where the platform cannot. */
  readonly merge?: (winner: EntityRef, loser: EntityRef) => Promise<void>;
  comment(ref: EntityRef, body: string, internal: boolean): Promise<void>;
  attach(ref: EntityRef, filename: string, bytes: Buffer): Promise<void>;
  /** A value as the platform holds it, in the digits or letters that it would show; null for an empty one. */
  held(ref: EntityRef, field: string): Promise<string | null>;
}

/** What happens to the account and to time, from the platform's side. */
export interface Administrator {
  /** Hides these records, and no others, from the connector's account. */
  hide(refs: readonly EntityRef[]): Promise<void>;
  /** Takes the right to change these records (or, where it cannot be finer, all of their type) from the account; with none, gives it back. */
  forbidWriting(refs: readonly EntityRef[]): Promise<void>;
  endSessions(): Promise<void>;
  /** Stops the platform's clock at an instant (milliseconds since 1970); null lets it go on with the real one. */
  stopClock(at: number | null): Promise<void>;
  /** What is written from now on is stamped at once and can be seen only so much later, as when a long transaction commits; 0 ends it. */
  commitLate(ms: number): Promise<void>;
}

/** The parts that fields of {@link Facts.entityType} play in the suite. A kind that the platform has not is absent, and so are its cases. */
export interface FieldRoles {
  readonly title: string;
  readonly longText: string;
  /** A choice with two of its choices, and a text that is none of them. */
  readonly choice: { readonly name: string; readonly values: readonly [string, string]; readonly labels: readonly [string, string]; readonly none: string };
  readonly boolean?: string;
  readonly integer?: string;
  /** `scale` = digits after the point. */
  readonly decimal?: { readonly name: string; readonly scale: number };
  readonly date?: string;
  readonly instant?: string;
  readonly reference: { readonly name: string; readonly type: string; readonly unknownId: string };
  /** A text with a limit of its own. */
  readonly limited: { readonly name: string; readonly length: number };
  readonly readOnly: string;
}

export interface Refusal {
  readonly what: string;
  /** Absent = {@link Facts.entityType}. Of another type only creates are tried. */
  readonly entityType?: string;
  readonly fields: Readonly<Record<string, Json>>;
  readonly names: readonly string[];
}

export interface Webhook {
  /** The call that the platform makes because of a change of this record, as it comes at an instant (milliseconds since 1970). */
  readonly genuine: (ref: EntityRef, at: number) => WebhookCall;
  /** True when each byte of the body is vouched for. */
  readonly signed: boolean;
  /** What a stranger, or somebody who listened, makes of it; none of these may be believed. */
  readonly forgeries: readonly { readonly what: string; readonly forge: (genuine: WebhookCall) => WebhookCall }[];
}

export interface Facts {
  readonly entityType: string;
  readonly fields: FieldRoles;
  /** An id that looks like one and belongs to no record. */
  readonly unknownId: string;
  /** A trigger's query in the platform's language, values that fit it and values that do not, and texts that are no query. */
  readonly query: { readonly text: string; readonly fits: Values; readonly misses: Values; readonly malformed: readonly string[] };
  /** Content that the platform refuses, each with the fields that its complaint must name. The first is of {@link entityType}. */
  readonly refusals: readonly Refusal[];
  /** What the platform keeps of a text, where it changes any: trimmed blanks, other line ends. */
  readonly keeps: (text: string) => string;
  /** The value of the reference field as a rule would give it: a record that is there. */
  readonly referenced: (connector: Connector) => Promise<Reference>;
  /** Ways to get the credentials wrong, in words. */
  readonly wrongCredentials: readonly string[];
  /** Texts that must never show: passwords, keys, client secrets. Session tokens are found by the suite itself. */
  readonly secrets: readonly string[];
  readonly deletesInFeed: boolean;
  readonly isWrite: (request: ProxiedRequest) => boolean;
  readonly isSignIn: (request: ProxiedRequest) => boolean;
  /** How the platform says “not with this session”, “not now”, and “too many calls”. */
  readonly unauthorized: PlannedAnswer;
  readonly unavailable: PlannedAnswer;
  readonly throttled: readonly { readonly what: string; readonly answer: PlannedAnswer; readonly retryAfterMs?: number }[];
  /** Cursors that earlier versions of the connector gave for an instant (ISO 8601): nodes that are upgraded still hold them. */
  readonly earlierCursors: (at: string) => readonly string[];
  /** A path for `request` that answers JSON. */
  readonly freePath: string;
  /** True when the connector can listen to events of the platform. */
  readonly events?: boolean;
  /** The calls that the platform makes to a webhook, where it can be told to. */
  readonly webhook?: Webhook;
}
