import type { Account } from "./accounts.ts";
import { derive } from "./derived-fields.ts";
import { storedValue } from "./field-values.ts";
import { type Instance, newSysId } from "./instance.ts";
import { refusals } from "./refusal.ts";
import { mayWrite, mayWriteRow } from "./rights.ts";
import { type BusinessRule, type Occasion, type RuleEffect, requireAllowed, runAfterRules, runBeforeRules, type Saving } from "./rules.ts";
import { isJournal } from "./schema.ts";
import type { Row } from "./store.ts";

type Draft = Record<string, string>;

/** How a save is made. */
export interface SaveOptions {
  /** Choices, references and times are given as people see them. */
  readonly asDisplay?: boolean;
  /** False: the update stamp, its author and the count stay as they were [R]. */
  readonly autoSysFields?: boolean;
  /** False: no rules, policies or hints, as imports may write [R]. */
  readonly workflow?: boolean;
}

/** Creates a record as a person would: defaults, number, computed fields, policies, journals. */
export function insertRecord(instance: Instance, account: Account, table: string, input: Readonly<Record<string, unknown>>, options: SaveOptions = {}): Row {
  if (!mayWrite(instance, account, table, "create")) throw refusals.mayNotInsert();
  const stamp = instance.stamp();
  const draft: Draft = instance.schema.blank(table);
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
  const saving = savingOf(account, table, "insert");
  const journals = applyInput(instance, account, table, draft, input, options);
  if ("number" in draft && draft.number === "") draft.number = instance.nextNumber(table) ?? "";
  journals.push(...runBeforeRules(instance, saving, draft));
  derive(instance, account.userId, table, draft, { ...draft, ...defaultStates(instance, table) }, input);
  requireAllowed(instance, saving, draft, undefined);
  instance.store.put(table, draft);
  for (const [element, text] of journals) addJournalEntry(instance, account.userName, table, draft.sys_id ?? "", element, text);
  followUp(instance, account, saving, draft);
  return draft;
}

/** Changes a record. What changes nothing leaves stamp and count alone; each journal text is appended. */
export function updateRecord(
  instance: Instance,
  account: Account,
  table: string,
  before: Row,
  input: Readonly<Record<string, unknown>>,
  options: SaveOptions = {},
): Row {
  if (!mayWriteRow(instance, account, table, before)) throw refusals.mayNotUpdate();
  const workflow = options.workflow !== false;
  const saving = savingOf(account, table, "update");
  const draft: Draft = { ...before };
  const journals = applyInput(instance, account, table, draft, input, options);
  if (workflow) {
    const asked = journals.length > 0 || differs(draft, before);
    // A save that changes nothing runs no rules.
    if (asked) journals.push(...runBeforeRules(instance, saving, draft));
    derive(instance, account.userId, table, draft, before, input);
    if (asked) requireAllowed(instance, saving, draft, before);
  }
  if (!differs(draft, before) && journals.length === 0) return before;
  if (options.autoSysFields !== false) touch(instance, draft, before, account.userName);
  instance.store.put(table, draft);
  for (const [element, text] of journals) addJournalEntry(instance, account.userName, table, draft.sys_id ?? "", element, text);
  if (workflow) followUp(instance, account, saving, draft);
  return draft;
}

/** Removes a record with its attachments, and leaves a tombstone: unless its table is not audited, or many went at once [D, K]. */
export function deleteRecord(instance: Instance, account: Account, table: string, row: Row, options: { readonly multiple?: boolean } = {}): void {
  if (!mayWriteRow(instance, account, table, row, "delete")) throw refusals.mayNotDelete();
  const saving = savingOf(account, table, "delete");
  if (options.multiple !== true) requireAllowed(instance, saving, row, row);
  const id = row.sys_id ?? "";
  instance.store.delete(table, id);
  for (const attachment of [...instance.store.rows("sys_attachment", { kind: "values", column: "table_sys_id", values: [id] })]) {
    instance.store.delete("sys_attachment", attachment.sys_id ?? "");
    instance.bytes.delete(attachment.sys_id ?? "");
  }
  if (options.multiple === true) return;
  const audited = !instance.schema.ancestry(table).some((name) => instance.schema.table(name)?.attributes?.includes("no_audit_delete=true") === true);
  if (audited) {
    instance.store.put("sys_audit_delete", {
      ...bookkeeping(instance, account.userName),
      tablename: table,
      documentkey: id,
      display_value: row[instance.schema.displayColumn(table)] ?? "",
      payload: "",
    });
  }
  instance.hints.tell(saving, row);
}

function savingOf(account: Account, table: string, occasion: Occasion): Saving {
  return { table, occasion, userName: account.userName, userId: account.userId };
}

function defaultStates(instance: Instance, table: string): Row {
  return Object.fromEntries(["state", "incident_state"].map((element) => [element, instance.schema.column(table, element)?.default ?? ""]));
}

function differs(draft: Row, before: Row): boolean {
  return Object.keys(draft).some((element) => draft[element] !== before[element]);
}

function touch(instance: Instance, draft: Draft, before: Row, userName: string): void {
  Object.assign(draft, { sys_updated_on: instance.stamp(), sys_updated_by: userName, sys_mod_count: String(Number(before.sys_mod_count ?? "0") + 1) });
}

/** What happens once a record is saved: other systems are told, and the instance's automation goes on working at it. */
function followUp(instance: Instance, account: Account, saving: Saving, saved: Row): void {
  instance.hints.tell(saving, saved);
  runAfterRules(instance, saving, saved, (effect, rule) => saveEffect(instance, account, saving, saved.sys_id ?? "", effect, rule));
}

/** The second save of a rule that comes after. It sets off no further rules. */
function saveEffect(instance: Instance, account: Account, saving: Saving, id: string, effect: RuleEffect, rule: BusinessRule): void {
  const before = instance.store.find(saving.table, id)?.row;
  if (before === undefined) return;
  const userName = rule.runAs === "system" ? "system" : account.userName;
  const draft: Draft = { ...before, ...effect.values };
  derive(instance, account.userId, saving.table, draft, before, effect.values);
  if (!differs(draft, before) && effect.journals.length === 0) return;
  touch(instance, draft, before, userName);
  instance.store.put(saving.table, draft);
  for (const [element, text] of effect.journals) addJournalEntry(instance, userName, saving.table, id, element, text);
  instance.hints.tell({ ...saving, occasion: "update", userName }, draft);
}

/** Takes over what may be written; gives back the journal texts. Unknown, protected and ill-formed values vanish without a word [R]. */
function applyInput(
  instance: Instance,
  account: Account,
  table: string,
  draft: Draft,
  input: Readonly<Record<string, unknown>>,
  options: SaveOptions,
): (readonly [string, string])[] {
  const journals: (readonly [string, string])[] = [];
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
    const value = storedValue(instance, account, column, sent, options.asDisplay === true);
    if (value !== undefined) draft[element] = value;
  }
  return journals;
}

function bookkeeping(instance: Instance, userName: string): Record<string, string> {
  const stamp = instance.stamp();
  return {
    sys_id: newSysId(),
    sys_created_on: stamp,
    sys_created_by: userName,
    sys_updated_on: stamp,
    sys_updated_by: userName,
    sys_mod_count: "0",
    sys_tags: "",
  };
}

function addJournalEntry(instance: Instance, userName: string, table: string, recordId: string, element: string, value: string): void {
  instance.store.put("sys_journal_field", { ...bookkeeping(instance, userName), name: table, element, element_id: recordId, value });
}
