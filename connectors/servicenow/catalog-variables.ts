import type { Json } from "../connector.ts";
import type { StreamSource } from "./stream.ts";
import { type RawRow, textOf } from "./values.ts";

/**
 * What was filled into the form of a requested item. Each answer is a row of sc_item_option, tied to the item by
 * sc_item_option_mtom, and names its question in item_option_new [K]. Rules see them as one field, `variables`, an object of
 * texts by the variables' names.
 */
export const variablesField = "variables";
export const variableTable = "sc_item_option_mtom";
export const variableRecord = "request_item";
/** Changing an answer leaves the requested item alone [K]. */
export const variableStamp = "sc_item_option.sys_updated_on";
const variableMark = "sc_item_option.sys_mod_count";
const variableName = "sc_item_option.item_option_new.name";
const variableValue = "sc_item_option.value";
const variableOption = "sc_item_option";

export const variableSource: StreamSource = { table: variableTable, stamp: variableStamp, record: variableRecord, mark: variableMark, query: "" };
export const variableColumns: readonly string[] = ["sys_id", variableRecord, variableOption, variableName, variableValue, variableMark];
export const variableVersionColumns: readonly string[] = ["sys_id", variableRecord, variableMark];

export function hasCatalogVariables(table: string): boolean {
  return table === "sc_req_item";
}

/** `{size: "XL"}`; without a value: null. Headings and the like have no name and are left out. */
export function variablesOf(rows: readonly RawRow[]): Json {
  const values: Record<string, Json> = {};
  for (const row of rows) {
    const name = textOf(row, variableName);
    if (name !== "") values[name] = textOf(row, variableValue) || null;
  }
  return values;
}

/** Of one item: the sys_id of the answer, and its value, by the variable's name. */
export function answersOf(rows: readonly RawRow[]): Map<string, { readonly option: string; readonly value: string }> {
  const answers = new Map<string, { option: string; value: string }>();
  for (const row of rows)
    if (textOf(row, variableName) !== "") answers.set(textOf(row, variableName), { option: textOf(row, variableOption), value: textOf(row, variableValue) });
  return answers;
}

/** Changes with the answer. */
export function variableVersion(row: RawRow): string {
  return `${textOf(row, "sys_id")}:${textOf(row, variableMark)}`;
}
