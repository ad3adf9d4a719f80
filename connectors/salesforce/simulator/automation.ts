import { inputValues } from "./checks.ts";
import type { Org, Row } from "./org.ts";
import { type Automation, meets } from "./rules.ts";
import type { OrgObject } from "./schema.ts";
import { storedValue, type Value } from "./values.ts";

/** Before a save: assignment rules of a new row, then flows that rewrite what is being saved. The names of the fields that were set. */
export function rewrite(org: Org, object: OrgObject, row: Row, before: Row | undefined): string[] {
  const names: string[] = [];
  if (before === undefined && org.transactions.origin.autoAssign) {
    const rule = org.rules.assignments.find((rule) => rule.object === object.name && meets(row, rule.when));
    if (rule !== undefined) {
      row.OwnerId = rule.ownerId;
      names.push("OwnerId");
    }
  }
  for (const { set = {} } of fitting(org, object, row, before).filter((automation) => automation.before)) {
    const fields = valuesOf(org, object, set, row);
    Object.assign(row, fields);
    names.push(...Object.keys(fields));
  }
  return names;
}

/** After a save: flows that set more fields or comment, at once or after a while. The row as it is then. */
export function automate(org: Org, object: OrgObject, row: Row, before: Row | undefined, caller: string): Row {
  let saved = row;
  for (const automation of fitting(org, object, row, before).filter((automation) => !automation.before)) {
    if (automation.afterMs === undefined) saved = act(org, object, saved, automation, caller, false);
    else
      org.later(automation.afterMs, () => {
        const current = org.tables.get(object.name, row.Id);
        if (current !== undefined && current.IsDeleted === false) act(org, object, current, automation, caller, true);
      });
  }
  return saved;
}

/** Works out formula fields, which name other fields of the row in braces: `"{Status}/{Priority}"`. */
export function computeFormulas(object: OrgObject, row: Row): void {
  for (const field of object.fields.values())
    if (field.formula !== undefined) row[field.name] = storedValue(field, numeric(field.type, filled(field.formula, row)));
}

function act(org: Org, object: OrgObject, row: Row, { set, comment }: Automation, caller: string, later: boolean): Row {
  let saved = row;
  if (set !== undefined) {
    saved = { ...row, ...valuesOf(org, object, set, row) };
    computeFormulas(object, saved);
    if (later) org.touch(object.name, saved, {}, caller);
    else org.put(object.name, saved);
  }
  if (comment !== undefined && object.name === "Case")
    org.create("CaseComment", { ParentId: row.Id, CommentBody: filled(comment.body, saved), IsPublished: comment.published ?? false }, caller);
  return saved;
}

function fitting(org: Org, object: OrgObject, row: Row, before: Row | undefined): Automation[] {
  if (org.rules.automations.length === 0) return [];
  const on = before === undefined ? "create" : "update";
  return org.rules.automations.filter((automation) => automation.object === object.name && automation.on === on && meets(row, automation.when));
}

function valuesOf(org: Org, object: OrgObject, set: Readonly<Record<string, Value>>, row: Row): Record<string, Value> {
  const input = Object.fromEntries(Object.entries(set).map(([name, value]) => [name, typeof value === "string" ? filled(value, row) : value]));
  return inputValues(org.bytes, object, input, "updateable").fields;
}

function filled(template: string, row: Row): string {
  return template.replace(/\{([A-Za-z]\w*)\}/g, (_, name: string) => String(row[name] ?? ""));
}

function numeric(type: string, text: string): unknown {
  if (type === "boolean") return text === "true";
  return text;
}
