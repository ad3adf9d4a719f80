// biome-ignore-all lint/suspicious/noExplicitAny: what another system or party put there has any shape, and rules may use it without ceremony

/** A person as the other side may know him: by his address rather than by an id of this side. */
interface SentPerson {
  readonly id?: string | null;
  readonly displayName?: string | null;
  readonly email?: string | null;
  readonly username?: string | null;
}

/** What travels to the other side. Known names are typed; any other JSON is allowed. */
interface Replica {
  /** What people call the record here: a number, a case number. */
  key?: string | null;
  summary?: string | null;
  description?: string | null;
  type?: string | { name: string } | null;
  status?: string | { name: string } | null;
  priority?: string | { name: string } | null;
  assignee?: SentPerson | Reference | null;
  reporter?: SentPerson | Reference | null;
  labels?: readonly string[];
  comments?: readonly RuleComment[];
  attachments?: readonly RuleAttachment[];
  worklogs?: readonly RuleWorklog[];
  links?: readonly Json[];
  /** The key of the parent record. */
  parent?: string | Reference | null;
  /** Whatever else the two sides agree upon. */
  custom?: Record<string, any>;
  [name: string]: any;
}

/** What the other side will receive. Empty at first: what this rule sets is what travels. Nothing is sent when it equals the last one sent. */
declare const replica: Replica;

/** The last replica sent, or undefined. */
declare const previous: Readonly<Replica> | undefined;

/** True until the record is tied to one of the other side. */
declare const firstSync: boolean;
