import type { Account } from "./accounts.ts";
import { storedValue } from "./field-values.ts";
import { type Instance, newSysId } from "./instance.ts";
import { matchesQuery } from "./query.ts";
import { refusals } from "./refusal.ts";
import { mayWrite } from "./rights.ts";
import { isJournal, stableId } from "./schema.ts";
import type { Row } from "./store.ts";

type Draft = Record<string, string>;

/** Creates a record as a person would: defaults, number, computed fields, policies, journals. */
export function insertRecord(instance: Instance, account: Account, table: string, input: Readonly<Record<string, unknown>>, asDisplay = false): Row {
  if (!mayWrite(instance, account, table)) throw refusals.mayNotInsert();
  const stamp = instance.stamp();
  const draft: Draft = {};
  for (const column of instance.schema.columns(table).values()) draft[column.element] = column.default ?? "";
  Object.assign(draft, {
    sys_id: newSysId(),
    sys_created_on: stamp,
    sys_created_by: account.userName,
    sys_updated_on: stamp,
    sys_updated_by: account.userName,
    sys_mod_count: "0",
  });
  if ("sys_class_name" in draft) draft.sys_class_name = table;
  if ("opened_at" in draft) Object.assign(draft, { opened_at: stamp, opened_by: account.userId });
  const journals = applyInput(instance, account, table, draft, input, asDisplay);
  if ("number" in draft && draft.number === "") draft.number = instance.nextNumber(table) ?? "";
  derive(instance, account, table, draft, { ...draft, state: "", incident_state: "" }, input);
  requirePolicies(instance, account, table, draft);
  instance.store.put(table, draft);
  for (const [element, text] of journals) addJournalEntry(instance, account, table, draft.sys_id ?? "", element, text);
  return draft;
}

/** Changes a record. What changes nothing leaves stamp and count alone; each journal text is appended. */
export function updateRecord(
  instance: Instance,
  account: Account,
  table: string,
  before: Row,
  input: Readonly<Record<string, unknown>>,
  asDisplay = false,
): Row {
  if (!mayWrite(instance, account, table)) throw refusals.mayNotUpdate();
  const draft: Draft = { ...before };
  const journals = applyInput(instance, account, table, draft, input, asDisplay);
  derive(instance, account, table, draft, before, input);
  requirePolicies(instance, account, table, draft);
  const changed = Object.keys(draft).some((element) => draft[element] !== before[element]);
  if (!changed && journals.length === 0) return before;
  Object.assign(draft, { sys_updated_on: instance.stamp(), sys_updated_by: account.userName, sys_mod_count: String(Number(before.sys_mod_count ?? "0") + 1) });
  instance.store.put(table, draft);
  for (const [element, text] of journals) addJournalEntry(instance, account, table, draft.sys_id ?? "", element, text);
  return draft;
}

/** Removes a record with its attachments, and leaves a tombstone. */
export function deleteRecord(instance: Instance, account: Account, table: string, row: Row): void {
  if (!mayWrite(instance, account, table)) throw refusals.mayNotDelete();
  const id = row.sys_id ?? "";
  instance.store.delete(table, id);
  for (const attachment of [...instance.store.rows("sys_attachment", { kind: "values", column: "table_sys_id", values: [id] })]) {
    instance.store.delete("sys_attachment", attachment.sys_id ?? "");
  }
  const stamp = instance.stamp();
  instance.store.put("sys_audit_delete", {
    sys_id: newSysId(),
    sys_created_on: stamp,
    sys_created_by: account.userName,
    sys_updated_on: stamp,
    sys_updated_by: account.userName,
    sys_mod_count: "0",
    sys_tags: "",
    tablename: table,
    documentkey: id,
    display_value: row[instance.schema.displayColumn(table)] ?? "",
    payload: "",
  });
}

/** Takes over what may be written; gives back the journal texts. Unknown, protected and ill-formed values vanish without a word [R]. */
function applyInput(
  instance: Instance,
  account: Account,
  table: string,
  draft: Draft,
  input: Readonly<Record<string, unknown>>,
  asDisplay: boolean,
): [string, string][] {
  const journals: [string, string][] = [];
  const protectedFields = new Set(instance.schema.ancestry(table).flatMap((name) => account.access.readOnlyFields[name] ?? []));
  for (const [element, sent] of Object.entries(input)) {
    const column = instance.schema.column(table, element);
    if (column === undefined || protectedFields.has(element)) continue;
    if (isJournal(column.type)) {
      // An empty text is ignored; the list of both kinds cannot be written to.
      if (typeof sent === "string" && sent !== "" && column.type !== "journal_list") journals.push([element, sent]);
      continue;
    }
    if (column.readOnly === true) continue;
    const value = storedValue(instance, column, sent, asDisplay);
    if (value !== undefined) draft[element] = value;
  }
  return journals;
}

/** Business rules that every instance ships with: mirrored state, priority look-up, closing stamps [R, K]. */
function derive(instance: Instance, account: Account, table: string, draft: Draft, before: Row, input: Readonly<Record<string, unknown>>): void {
  const classes = instance.schema.ancestry(table);
  if (classes.includes("incident")) {
    // The two states mirror each other; `state` wins where both are given.
    if (!("state" in input) && "incident_state" in input) draft.state = draft.incident_state ?? "";
    draft.incident_state = draft.state ?? "";
    const { state = "" } = draft;
    if (state !== before.state) {
      draft.active = String(state !== "7" && state !== "8");
      if (state === "6") Object.assign(draft, { resolved_at: instance.stamp(), resolved_by: account.userId });
      if (state === "7") Object.assign(draft, { closed_at: instance.stamp(), closed_by: account.userId });
    }
  }
  if (classes.includes("incident") || classes.includes("problem")) draft.priority = priorityOf(draft.impact, draft.urgency) ?? draft.priority ?? "";
  if (classes.includes("sys_user")) draft.name = `${draft.first_name ?? ""} ${draft.last_name ?? ""}`.trim();
}

/** The shipped look-up: 1 and 1 give 1, 3 and 3 give 5. */
function priorityOf(impact: string | undefined, urgency: string | undefined): string | undefined {
  const sum = Number(impact) + Number(urgency);
  return Number.isInteger(sum) && sum >= 2 && sum <= 6 ? String(sum - 1) : undefined;
}

function requirePolicies(instance: Instance, account: Account, table: string, draft: Row): void {
  const context = { ...instance.queryContext(account), invalidMatchesNothing: false };
  const classes = instance.schema.ancestry(table);
  for (const policy of instance.policies) {
    if (!classes.includes(policy.table) || !matchesQuery(table, draft, policy.when, context)) continue;
    const missing = policy.mandatory.filter((element) => (draft[element] ?? "") === "");
    if (missing.length > 0) throw refusals.dataPolicy(missing.map((element) => instance.schema.column(table, element)?.label ?? element));
  }
  for (const rule of instance.businessRules) {
    if (classes.includes(rule.table) && matchesQuery(table, draft, rule.abortWhen, context))
      throw refusals.businessRule(table, rule.name, stableId("rule", rule.name));
  }
}

function addJournalEntry(instance: Instance, account: Account, table: string, recordId: string, element: string, value: string): void {
  const stamp = instance.stamp();
  instance.store.put("sys_journal_field", {
    sys_id: newSysId(),
    sys_created_on: stamp,
    sys_created_by: account.userName,
    sys_updated_on: stamp,
    sys_updated_by: account.userName,
    sys_mod_count: "0",
    sys_tags: "",
    name: table,
    element,
    element_id: recordId,
    value,
  });
}
