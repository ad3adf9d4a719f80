// biome-ignore-all lint/suspicious/noExplicitAny: what another system or party put there has any shape, and rules may use it without ceremony
// biome-ignore-all lint/suspicious/noEmptyInterface: that there is nothing in it is what it says

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
  /** Whatever else the two sides agree upon. */
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
  /** Comments of the replica, or for `removed` of the one before. */
  readonly comments: ListChanges<RuleComment>;
  /** Files, likewise. */
  readonly attachments: ListChanges<RuleAttachment>;
};

/** Somebody of the local platform: what `users.byEmail` or `lookup` answered, the value of a reference field, or an id. */
type LocalUser = Person | Reference | FoundBase | string;

/** A comment of the other side on its way in, as the function given to `comments.merge` sees it. */
interface ArrivingComment extends Omit<RuleComment, "author"> {
  /** Who wrote it over there. Set it to write it in the name of a local user. */
  get author(): Person | null;
  set author(user: LocalUser | null | undefined);
}

/** What the function given to `comments.merge` makes of a comment; what it leaves out stays as it came. */
interface MergedComment {
  /** Stays exactly so, without a name in front. */
  body?: string;
  /** True for a work note or a private comment. */
  internal?: boolean;
  /**
   * The local user in whose name it is written, where the platform can do that. Neither Salesforce nor ServiceNow can: there the account of the node
   * writes it, with this user's name in front in place of the remote author's. Give a default for authors who are nobody here.
   */
  author?: LocalUser | null;
}

/** Comments of the other side, and of the rule's own. */
declare const comments: {
  /**
   * Adds new remote comments, updates edited ones, removes removed ones, each known by its trace. The author is named in front of the text:
   * `[Alice Smith] text`. The function may change and return its comment, or return a new one; `undefined` leaves the comment out. It cannot wait.
   */
  merge(entity: Entity, replica: Replica, change?: (comment: ArrivingComment) => MergedComment | undefined | null): void;
  /** A comment of our own, public unless `internal`. It is not sent back to the other side unless tracked. */
  add(text: string, options?: { internal?: boolean; track?: boolean }): void;
};

/** Files of the other side. */
declare const attachments: {
  /** Adds new remote attachments and removes removed ones, known by trace and content hash; the filter says which to add. The files themselves are copied outside the rule. */
  merge(entity: Entity, replica: Replica, filter?: (attachment: RuleAttachment) => unknown): void;
};

/** A platform whose records have no worklogs that could be written: `worklogs.merge` fails there with the code NO_WORKLOGS. */
interface PlatformWithoutWorklogs {}

/** Worklogs, where the platform has them. Neither Salesforce nor ServiceNow does; those that arrive can be read in `replica.worklogs`. */
declare const worklogs: PlatformWithoutWorklogs;

/** Moves the record to the status of this name, through the platform's own workflow. Nothing does nothing; of several calls the last one counts. Does not end the run. */
declare function status(name: string | { readonly name: string } | null | undefined): void;

/**
 * On the first sync: ties the remote record to this existing one instead of creating one, then runs the rule on it. Several remote records may be tied
 * to one local one; each such tie is marked as shared. Does not end the run, but what else it set does not count.
 */
declare function linkTo(record: RecordLike): void;

/** Old name of `comments`. */
declare const commentHelper: {
  /** Old name of `comments.merge`. */
  mergeComments(entity: Entity, replica: Replica, change?: (comment: ArrivingComment) => MergedComment | undefined | null): void;
};

/** Old name of `attachments`. */
declare const attachmentHelper: {
  /** Old name of `attachments.merge`. */
  mergeAttachments(entity: Entity, replica: Replica, filter?: (attachment: RuleAttachment) => unknown): void;
};
