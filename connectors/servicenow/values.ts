import type { FieldType, Json, Reference } from "../connector.ts";

/** A field as the Table API writes it: a bare value, or value, display text and link. */
export type RawValue = string | { readonly value: string; readonly display_value: string; readonly link?: string };
export type RawRow = Readonly<Record<string, RawValue>>;

/** A column, as far as its values go. */
export interface Column {
  readonly name: string;
  readonly label: string;
  readonly type: FieldType;
  /** The dictionary's own word, finer than `type`. */
  readonly internalType: string;
  readonly reference?: string;
  readonly choices?: readonly { readonly value: string; readonly label: string }[];
  /** True when nothing but `choices` is accepted. */
  readonly closed: boolean;
}

/** The rows of a `{result: […]}` answer; undefined when it is not one. */
export function rawRows(body: Json | undefined): RawRow[] | undefined {
  const result = isObject(body) ? body.result : undefined;
  return Array.isArray(result) && result.every(isObject) ? result.map(rawRow) : undefined;
}

/** The row of a `{result: {…}}` answer. */
export function rawResult(body: Json | undefined): RawRow | undefined {
  const result = isObject(body) ? body.result : undefined;
  return isObject(result) ? rawRow(result) : undefined;
}

/** The value of a field as text; "" when it is absent. */
export function textOf(row: RawRow, name: string): string {
  const raw = row[name];
  return raw === undefined ? "" : typeof raw === "string" ? raw : raw.value;
}

export function displayOf(row: RawRow, name: string): string {
  const raw = row[name];
  return raw === undefined ? "" : typeof raw === "string" ? raw : raw.display_value;
}

/** What rules see of a field. Times are taken from the value, which is UTC; display texts are local and must not be parsed [R]. */
export function decoded(raw: RawValue, column: Column | undefined): Json {
  const value = typeof raw === "string" ? raw : raw.value;
  const display = typeof raw === "string" ? raw : raw.display_value;
  const link = typeof raw === "string" ? undefined : raw.link;
  if (value === "") return null;
  const linked = link === undefined ? undefined : /\/table\/(\w+)\/\w+$/.exec(link)?.[1];
  if (linked !== undefined) return { id: value, display, type: linked };
  switch (column?.type) {
    case "boolean":
      return /^(true|1)$/i.test(value);
    case "integer":
    case "decimal":
      return numberOrText(value);
    case "instant":
      return isoInstant(value);
    case "duration":
      return secondsOf(value);
    case "reference":
      return { id: value, display, type: column.reference ?? "" };
    case "references":
      return references(value, display, column.reference ?? "");
    case "choices":
      return value.split(",").map((choice) => choice.trim());
    default:
      return value;
  }
}

/** `2026-07-13 17:28:40` (UTC) as ISO 8601; other texts are left alone. */
export function isoInstant(value: string): string {
  return /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(value) ? `${value.replace(" ", "T")}Z` : value;
}

/** An instant as the database writes it, cut to the second. */
export function stampOf(date: Date): string {
  return date.toISOString().slice(0, 19).replace("T", " ");
}

/** Durations are offsets from the epoch [D]; rules see seconds. */
function secondsOf(value: string): Json {
  const milliseconds = Date.parse(isoInstant(value));
  return Number.isNaN(milliseconds) ? value : milliseconds / 1000;
}

/** Numbers that JavaScript cannot hold exactly stay text. */
function numberOrText(value: string): Json {
  const number = Number(value);
  return Number.isNaN(number) || (Number.isInteger(number) && !Number.isSafeInteger(number)) ? value : number;
}

/** Lists come as `id,id` with `Name, Name` beside; a name with a comma in it makes the pairing impossible, and ids serve as names. */
function references(value: string, display: string, type: string): Json {
  const ids = value.split(",").map((id) => id.trim());
  const names = display.split(", ");
  return ids.map((id, position): Reference => ({ id, display: names.length === ids.length ? (names[position] ?? id) : id, type }));
}

function rawRow(object: { readonly [key: string]: Json }): RawRow {
  const row: Record<string, RawValue> = {};
  for (const [name, value] of Object.entries(object)) row[name] = rawValue(value);
  return row;
}

function rawValue(value: Json): RawValue {
  if (!isObject(value)) return value === null ? "" : String(value);
  const text = (part: Json | undefined) => (part === undefined || part === null ? "" : String(part));
  const link = value.link;
  return { value: text(value.value), display_value: text(value.display_value), ...(typeof link === "string" ? { link } : {}) };
}

function isObject(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
