// biome-ignore-all lint/suspicious/noExplicitAny: what another system or party put there has any shape, and rules may use it without ceremony

/**
 * What the other side sent. Treat it as untrusted: it is whatever their rule put there. Values of known names are read as what they should be;
 * any other name may be there as well.
 */
interface Replica {
  readonly key: any;
  readonly summary: any;
  readonly description: any;
  /** Text or `{name}`. */
  readonly type: any;
  /** Text or `{name}`. */
  readonly status: any;
  /** Text or `{name}`. */
  readonly priority: any;
  readonly assignee: any;
  readonly reporter: any;
  readonly labels: any;
  readonly comments: readonly RuleComment[];
  readonly attachments: readonly RuleAttachment[];
  readonly worklogs: readonly RuleWorklog[];
  readonly links: any;
  readonly parent: any;
  readonly custom: any;
  readonly [name: string]: any;
}

/** What the other side sent. Treat it as untrusted. */
declare const replica: Replica;

/** The replica before this one, or undefined. */
declare const previous: Replica | undefined;

/** True when no local record is tied yet: the rule may choose `entity.entityType` and what the new record starts with. */
declare const firstSync: boolean;

interface ListChanges<Item> {
  readonly added: readonly Item[];
  readonly edited: readonly Item[];
  readonly removed: readonly Item[];
}

/** What differs between `previous` and `replica`. Without a previous one, everything is new. */
declare const changes: {
  /** Whether the value of this name differs; `custom.urgency` looks inside. */
  has(name: string): boolean;
  readonly comments: ListChanges<RuleComment>;
  readonly attachments: ListChanges<RuleAttachment>;
};

/** A comment on its way in. What the function given to `comments.merge` returns is written; a body that it sets stays exactly so. */
interface MergedComment {
  body?: string;
  internal?: boolean;
  author?: Person | Reference | string | null;
}

declare const comments: {
  /**
   * Adds new remote comments, updates edited ones, removes removed ones. The author is named in front of the text: `[Alice Smith] text`.
   * The function may change and return its comment, or return a new one; `undefined` leaves the comment out.
   */
  merge(entity: Entity, replica: Replica, change?: (comment: RuleComment) => MergedComment | undefined | null): void;
  /** A comment of our own. It is not sent back to the other side unless tracked. */
  add(text: string, options?: { internal?: boolean; track?: boolean }): void;
};

declare const attachments: {
  /** Adds new remote attachments and removes removed ones; the filter says which to add. The files themselves are copied outside the rule. */
  merge(entity: Entity, replica: Replica, filter?: (attachment: RuleAttachment) => unknown): void;
};

/** Moves the record to the status of this name, through the platform's own workflow. */
declare function status(name: string | { readonly name: string } | null | undefined): void;

/** On the first sync: ties the remote record to this existing one instead of creating one. */
declare function linkTo(record: RecordLike): void;

/** Old name of `comments`. */
declare const commentHelper: {
  mergeComments(entity: Entity, replica: Replica, change?: (comment: RuleComment) => MergedComment | undefined | null): void;
};

/** Old name of `attachments`. */
declare const attachmentHelper: {
  mergeAttachments(entity: Entity, replica: Replica, filter?: (attachment: RuleAttachment) => unknown): void;
};
