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

/** The value of a reference field: which record, and how people call it. `Type` are the record types that the field may refer to. */
interface Reference<Type extends string = string> {
  readonly id: string;
  readonly display: string;
  readonly type: Type;
}

/** Points at one record. */
interface EntityRef {
  readonly type: string;
  readonly id: string;
}

/** A comment of an entity or of a replica. */
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

/** A file of an entity or of a replica: what is known of it, never its bytes. */
interface RuleAttachment {
  readonly id: string;
  readonly filename: string;
  readonly mimetype: string;
  /** Bytes. */
  readonly filesize: number;
  /** Of the content, where the platform gives one. */
  readonly hash?: string;
  readonly author: Person | null;
  readonly created: string;
}

/** Time that somebody spent on a record of the other side. */
interface RuleWorklog {
  readonly id: string;
  readonly seconds: number;
  /** ISO 8601 in UTC. */
  readonly started: string;
  readonly body: string;
  readonly author: Person | null;
}

/** What every record that `lookup` found has. It, or its `id`, can be assigned to a reference field. */
interface FoundBase {
  readonly id: string;
  readonly entityType: string;
  readonly entityRef: EntityRef;
  /** What people call it: a number, a case number, a name. */
  readonly key: string;
  /** Where a person opens it. */
  readonly url: string;
  /** The labels of choice fields. */
  readonly display: Readonly<Record<string, string>>;
}

/** A record that `lookup` found: fields only, no comments and files. Of a type that this side's rules do not know, the fields are not checked. */
interface FoundRecord extends FoundBase {
  readonly [field: string]: any;
}

/** The names of a known type's fields. */
type FieldOf<Type extends keyof EntityTypes> = Exclude<keyof EntityTypes[Type], keyof EntityBase | "entityType">;

/** What a look-up answers: with the fields of its type, if that is one of this side's. */
type Found<Type extends string> = string extends Type
  ? FoundRecord
  : Type extends keyof EntityTypes
    ? FoundBase & { readonly entityType: Type } & { readonly [Field in FieldOf<Type>]: EntityTypes[Type][Field] }
    : FoundRecord;

/** Fields and the values that they have to have: all of them. A reference is asked for by its id. */
type Where<Type extends string> = string extends Type
  ? Readonly<Record<string, Json | undefined>>
  : Type extends keyof EntityTypes
    ? { readonly [Field in FieldOf<Type>]?: Json | undefined }
    : Readonly<Record<string, Json | undefined>>;

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

/** Reads the local platform. Values are escaped for you. Each call fails with the platform's words and a `code` when the platform refuses it. */
declare const lookup: {
  /** The first record of this type whose fields have these values, or undefined. */
  one<Type extends EntityTypeName | (string & {})>(type: Type, where: Where<Type>): Promise<Found<Type> | undefined>;
  /** Records of this type whose fields have these values: at most `limit`, which is 50 if not given and 200 at most. */
  many<Type extends EntityTypeName | (string & {})>(type: Type, where: Where<Type>, limit?: number): Promise<Found<Type>[]>;
  /** The record with this id, or undefined. Without an id nobody is asked. */
  get<Type extends EntityTypeName | (string & {})>(type: Type, id: string | null | undefined): Promise<Found<Type> | undefined>;
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
  /** The local record tied to the remote one with this key or id, or undefined; of this type, if one is given. */
  localFor<Type extends EntityTypeName | (string & {})>(
    remoteKey: string | null | undefined,
    type?: Type,
  ): Promise<(Reference<Type> & { readonly key: string | null }) | undefined>;
  /** Whether this local record is tied to a remote one. */
  isSynced(record: RecordLike): Promise<boolean>;
};

/** Converts text between dialects. Without `from`, text with tags counts as HTML, other text as Markdown. */
declare const text: {
  /** HTML; plain text is escaped. */
  toHtml(value: unknown, from?: "html" | "markdown" | "plain"): string;
  /** Markdown. */
  toMarkdown(value: unknown, from?: "html" | "markdown" | "plain"): string;
  /** Text without any marks: lists become lines, links keep their address. */
  toPlain(value: unknown, from?: "html" | "markdown" | "plain"): string;
};

/** Queues a sync of another local record over this connection; at most 1 000 in one run. Does not end the run. */
declare function startSync(record: RecordLike): void;

/** Queues a sync of this record back to the other side, even if that is held to know it. Does not end the run. */
declare function syncBack(): void;

/** Ends the tie between this record and the remote one after this run; both records stay. Does not end the run. */
declare function unlink(): void;

/**
 * Parks this change until the remote record with this key or id is tied, then runs again: for children that arrive before their parent. Nothing else
 * of this run counts; later changes of this record wait behind it. Ask `twins.localFor` first: waiting for what is there is an error.
 */
declare function waitFor(remoteKey: string): never;

/** Ends the rule quietly; the reason is recorded. Nothing else of this run counts. */
declare function skip(why?: string): never;

/** Ends the rule and parks the change with this message for a person to see. Nothing else of this run counts. */
declare function fail(why?: string): never;

/** Kept with the run. Never blocks; beyond 1 000 lines of 2 000 characters it is cut. */
declare const console: {
  log(...values: unknown[]): void;
  info(...values: unknown[]): void;
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
  debug(...values: unknown[]): void;
};

/** Old name of `users`. */
declare const nodeHelper: {
  /** Old name of `users.byEmail`. */
  getUserByEmail(email: string | null | undefined): Promise<Person | undefined>;
  /** Old name of `users.byUsername`. */
  getUserByUsername(name: string | null | undefined): Promise<Person | undefined>;
};

/** Old name of `twins` and `syncBack`. */
declare const syncHelper: {
  /** The key of what `twins.localFor` answers, or undefined. */
  getLocalIssueKeyFromRemoteId(remoteKey: string | null | undefined, type?: string): Promise<string | undefined>;
  /** Old name of `syncBack`. */
  syncBackAfterProcessing(): void;
};

/** Old name of `platform`. Reads alone. */
declare const httpClient: {
  /** Old name of `platform.get`. */
  get(path: string): Promise<any>;
};
