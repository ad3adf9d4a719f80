// biome-ignore-all lint/suspicious/noExplicitAny: what another system or party put there has any shape, and rules may use it without ceremony

/** Any JSON value. */
type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A user of a platform. */
interface Person {
  readonly id: string;
  readonly displayName?: string;
  readonly email?: string;
  readonly username?: string;
}

/** The value of a reference field: which record, and how people call it. */
interface Reference {
  readonly id: string;
  readonly display: string;
  readonly type: string;
}

/** Points at one record. */
interface EntityRef {
  readonly type: string;
  readonly id: string;
}

interface RuleComment {
  readonly id: string;
  /** Text in the platform's own dialect. */
  body: string;
  /** True for work notes and private comments. */
  internal: boolean;
  author: Person | null;
  /** ISO 8601 in UTC. */
  readonly created: string;
  readonly updated: string;
}

interface RuleAttachment {
  readonly id: string;
  readonly filename: string;
  readonly mimetype: string;
  /** Bytes. */
  readonly filesize: number;
  readonly hash?: string;
  readonly author: Person | null;
  readonly created: string;
}

interface RuleWorklog {
  readonly id: string;
  readonly seconds: number;
  /** ISO 8601 in UTC. */
  readonly started: string;
  readonly body: string;
  readonly author: Person | null;
}

/** A record that `lookup` found: fields only. It, or its `id`, can be assigned to a reference field. */
interface FoundRecord {
  readonly id?: string;
  readonly entityType: string;
  readonly entityRef: EntityRef;
  readonly key: string;
  readonly url: string;
  readonly display: Readonly<Record<string, string>>;
  readonly [field: string]: any;
}

/** A record to point at: what `lookup` answered, the value of a reference field, or `{type, id}`. */
type RecordLike = EntityRef | Reference | { readonly entityRef: EntityRef | null };

/** The connection that this rule belongs to. */
declare const connection: {
  readonly name: string;
  /** The short name of this side. */
  readonly local: string;
  /** The short name of the other side. */
  readonly remote: string;
};

/** Users of the local platform. */
declare const users: {
  /** The local user with this e-mail address, or undefined. Nothing in, nothing out. */
  byEmail(email: string | null | undefined): Promise<Person | undefined>;
  /** The local user with this user name, or undefined. */
  byUsername(name: string | null | undefined): Promise<Person | undefined>;
};

/** Reads the local platform. Values are escaped for you. */
declare const lookup: {
  /** The first record of this type whose fields have these values, or undefined. */
  one<Type extends string>(type: Type | EntityTypeName, where: Readonly<Record<string, Json | undefined>>): Promise<FoundRecord | undefined>;
  /** Records of this type whose fields have these values, at most `limit` (50). */
  many<Type extends string>(type: Type | EntityTypeName, where: Readonly<Record<string, Json | undefined>>, limit?: number): Promise<FoundRecord[]>;
  /** The record with this id, or undefined. */
  get<Type extends string>(type: Type | EntityTypeName, id: string | null | undefined): Promise<FoundRecord | undefined>;
};

/** The local platform's own REST API, with the account of this node. */
declare const platform: {
  /** Reads a path such as `/services/data/v60.0/limits`. */
  get(path: string): Promise<any>;
  /** Any method. Writing works only on paths that an administrator of the node has opened. */
  request(method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: Json): Promise<any>;
};

/** What is tied to what on this connection. */
declare const twins: {
  /** The local record tied to the remote one with this key, or undefined. */
  localFor(remoteKey: string | null | undefined, type?: EntityTypeName | (string & {})): Promise<(Reference & { readonly key: string | null }) | undefined>;
  /** Whether this local record is tied to a remote one. */
  isSynced(record: RecordLike): Promise<boolean>;
};

/**
 * Looks a value up in a table that is kept beside the rules. Works both ways: an outgoing rule turns local values into the other side's, an incoming
 * rule theirs into local ones. A value without a row gives `otherwise`, or undefined.
 */
declare function mapping(table: string, value: unknown, otherwise?: Json): any;

/** Converts text between dialects. Without `from`, text with tags counts as HTML, other text as Markdown. */
declare const text: {
  toHtml(value: unknown, from?: "html" | "markdown" | "plain"): string;
  toMarkdown(value: unknown, from?: "html" | "markdown" | "plain"): string;
  toPlain(value: unknown, from?: "html" | "markdown" | "plain"): string;
};

/** Queues a sync of another local record over this connection. */
declare function startSync(record: RecordLike): void;

/** Queues a sync of this record back to the other side. */
declare function syncBack(): void;

/** Ends the tie between this record and the remote one. */
declare function unlink(): void;

/** Parks this run until the remote record with this key is tied, then runs again: for children that arrive before their parent. Nothing else of this run counts. */
declare function waitFor(remoteKey: string): never;

/** Ends the rule quietly; the reason is recorded. Nothing else of this run counts. */
declare function skip(why?: string): never;

/** Ends the rule and parks the change with this message for a person to see. Nothing else of this run counts. */
declare function fail(why?: string): never;

/** Kept with the run. Never blocks; beyond 1 000 lines it is cut. */
declare const console: {
  log(...values: unknown[]): void;
  info(...values: unknown[]): void;
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
  debug(...values: unknown[]): void;
};

/** Old name of `users`. */
declare const nodeHelper: {
  getUserByEmail(email: string | null | undefined): Promise<Person | undefined>;
  getUserByUsername(name: string | null | undefined): Promise<Person | undefined>;
};

/** Old name of `twins` and `syncBack`. */
declare const syncHelper: {
  getLocalIssueKeyFromRemoteId(remoteKey: string | null | undefined, type?: string): Promise<string | undefined>;
  syncBackAfterProcessing(): void;
};

/** Old name of `platform`. */
declare const httpClient: {
  get(path: string): Promise<any>;
};
