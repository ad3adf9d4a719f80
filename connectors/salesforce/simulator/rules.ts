import type { Row } from "./org.ts";
import type { Value } from "./values.ts";

/** A condition on a row: every field has this value. */
export type When = Readonly<Record<string, Value>>;

/** Rejects a save: of a row with this value, or one that meets all of `when`. */
export interface ValidationRule {
  readonly object: string;
  readonly field: string;
  readonly equals?: Value;
  readonly when?: When;
  /** Also rejects where the field has no value. */
  readonly required?: boolean;
  readonly message: string;
  /** A trigger's or a flow's refusal says so otherwise: `CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY` [R]. */
  readonly errorCode?: string;
}

/**
 * What a flow does when a row was saved: sets fields (texts may name others: `"{Subject} (seen)"`), adds a comment to a case. With `afterMs`
 * it does so later, by the simulator's clock, as scheduled paths do. With `before` it is a before-save flow: it rewrites what is being saved.
 */
export interface Automation {
  readonly object: string;
  readonly on: "create" | "update";
  readonly when?: When;
  readonly set?: Readonly<Record<string, Value>>;
  readonly comment?: { readonly body: string; readonly published?: boolean };
  readonly before?: boolean;
  readonly afterMs?: number;
}

/** A duplicate rule: refuses a create whose fields all equal those of another record. */
export interface DuplicateRule {
  readonly name: string;
  readonly object: string;
  readonly fields: readonly string[];
  /** Whether `Sforce-Duplicate-Rule-Header: allowSave=true` overrules it. */
  readonly allowSave: boolean;
}

/** An assignment rule of cases or leads: who owns a new one. */
export interface AssignmentRule {
  readonly object: string;
  readonly when?: When;
  readonly ownerId: string;
}

/** What an administrator set up beside the schema; each is switched by the control API. */
export interface OrgRules {
  /** Whether a new comment touches its case: real orgs differ, so it can be either. */
  commentTouchesCase: boolean;
  /** An external id in an address that ends like the name of a file, as `a@x.inc` does, is not found [D]. */
  extensionsMislead: boolean;
  validations: readonly ValidationRule[];
  automations: readonly Automation[];
  duplicates: readonly DuplicateRule[];
  assignments: readonly AssignmentRule[];
  /** Records that are hidden from API users, may not be written, or are locked for the next so many writes. */
  hidden: Set<string>;
  readOnly: Set<string>;
  locked: Map<string, number>;
  /** The HTTP status of a lock: seen as 400 and as 500 [R]. */
  lockStatus: 400 | 500;
  /** The next `times` saves are stamped now but seen only `ms` later, as a long transaction would be. */
  lateCommits: { ms: number; times: number };
  /** How far `latestDateCovered` lags behind, as it does while a long transaction runs [D]. */
  replicationLagMs: number;
  /** Most ids of one list of what was deleted or updated [D]. */
  replicationIdLimit: number;
}

export function noRules(commentTouchesCase: boolean): OrgRules {
  return {
    commentTouchesCase,
    extensionsMislead: false,
    validations: [],
    automations: [],
    duplicates: [],
    assignments: [],
    hidden: new Set(),
    readOnly: new Set(),
    locked: new Map(),
    lockStatus: 400,
    lateCommits: { ms: 0, times: 0 },
    replicationLagMs: 0,
    replicationIdLimit: 600_000,
  };
}

/** Whether a row has all these values. */
export function meets(row: Row, when: When | undefined): boolean {
  return Object.entries(when ?? {}).every(([name, value]) => (row[name] ?? null) === value);
}
