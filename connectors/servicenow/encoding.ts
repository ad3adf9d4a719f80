import type { Json } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { type Column, type RawValue, stampOf } from "./values.ts";

/** What is sent for a field. Throws VALIDATION for what the column cannot hold: the platform would drop it without a word [R]. */
export function encoded(value: Json, column: Column | undefined, table: string): string {
  if (value === null || value === "") return "";
  if (column === undefined) return plainText(value, undefined, table);
  if (isMoney(column)) return money(value, column, table);
  switch (column.type) {
    case "boolean":
      if (typeof value === "boolean" || value === "true" || value === "false") return String(value);
      throw misfit(column, table, value, "true or false");
    case "integer":
      if ((typeof value === "number" && Number.isInteger(value)) || (typeof value === "string" && /^-?\d+$/.test(value.trim()))) return String(value).trim();
      throw misfit(column, table, value, "a whole number");
    case "decimal":
      if (typeof value === "number" || (typeof value === "string" && value.trim() !== "" && !Number.isNaN(Number(value)))) return String(value).trim();
      throw misfit(column, table, value, "a number");
    case "instant":
      return instant(value, column, table);
    case "date":
      if (typeof value === "string" && /^\d{4}-\d\d-\d\d([T ]|$)/.test(value) && isDay(value.slice(0, 10))) return value.slice(0, 10);
      throw misfit(column, table, value, "a date such as 2026-07-13");
    case "duration":
      return duration(value, column, table);
    case "choice":
      return choice(value, column, table);
    case "choices":
      return (Array.isArray(value) ? value : [value]).map((item: Json) => choice(item, column, table)).join(",");
    case "reference":
      return referenceId(value, column, table);
    case "references":
      return (Array.isArray(value) ? value : String(value).split(",")).map((item: Json) => referenceId(item, column, table)).join(",");
    default:
      return plainText(value, column, table);
  }
}

/** Whether a field read back holds what was sent. Line ends and blanks at the end are not told apart: browsers' forms rewrite them too. */
export function holds(read: RawValue | undefined, sent: string, column: Column | undefined): boolean {
  const value = read === undefined ? "" : typeof read === "string" ? read : read.value;
  const display = read === undefined || typeof read === "string" ? value : read.display_value;
  if (value === sent) return true;
  if (column?.type === "integer" || column?.type === "decimal") return value !== "" && sent !== "" && Number(value) === Number(sent);
  if (column !== undefined && isMoney(column)) return sameMoney(value, sent);
  if (column?.type === "reference") return sent !== "" && display === sent;
  if (column?.type === "boolean") return truth(value) === truth(sent);
  if (column?.type === "references" || column?.type === "choices") return sameList(value, sent) || (sent !== "" && sameList(display, sent));
  return smoothed(value) === smoothed(sent);
}

const moneyText = /^(?:([A-Z]{3});)?(-?\d+(?:\.\d+)?)$/;

function isMoney(column: Column): boolean {
  return column.internalType === "currency" || column.internalType === "price" || column.internalType === "currency2";
}

/** A plain amount is taken in the account's own currency. */
function money(value: Json, column: Column, table: string): string {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text === "string" && moneyText.test(text.trim())) return text.trim();
  throw misfit(column, table, value, "an amount such as USD;12.30, or 12.3 in the account's own currency");
}

function sameMoney(read: string, sent: string): boolean {
  const [, readCurrency, readAmount] = moneyText.exec(read) ?? [];
  const [, sentCurrency, sentAmount] = moneyText.exec(sent) ?? [];
  const sameCurrency = readCurrency === undefined || sentCurrency === undefined || readCurrency === sentCurrency;
  return readAmount !== undefined && sentAmount !== undefined && sameCurrency && Number(readAmount) === Number(sentAmount);
}

/** Lists have no order that anybody could rely on. */
function sameList(read: string, sent: string): boolean {
  const sorted = (text: string) => [...new Set(text.split(",").map((item) => item.trim()))].toSorted().join(",");
  return sorted(read) === sorted(sent);
}

function truth(text: string): boolean {
  return /^(true|1)$/i.test(text);
}

function smoothed(text: string): string {
  return text.replaceAll("\r\n", "\n").trimEnd();
}

const isoText = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) ?(Z|[+-]\d\d(?::?\d\d)?)?)?$/i;

/** What names no zone is UTC: the zone of the machine that this runs on means nothing to anybody. */
function instant(value: Json, column: Column, table: string): string {
  const parts = typeof value === "string" ? isoText.exec(value.trim()) : null;
  if (parts !== null) {
    const [, day = "", time = "00:00", zone = "Z"] = parts;
    const date = new Date(`${day}T${time.replace(",", ".")}${zone.length === 3 ? `${zone}:00` : zone}`);
    if (!Number.isNaN(date.getTime()) && isDay(day)) return stampOf(date);
  }
  throw misfit(column, table, value, "an instant such as 2026-07-13T17:28:40Z");
}

/** 30 February would be taken for 2 March. */
function isDay(day: string): boolean {
  const date = new Date(`${day}T00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day);
}

function duration(value: Json, column: Column, table: string): string {
  const seconds = typeof value === "number" ? value : typeof value === "string" && /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  if (seconds >= 0) return stampOf(new Date(seconds * 1000));
  if (typeof value === "string" && /^1970-\d\d-\d\d \d\d:\d\d:\d\d$/.test(value)) return value;
  throw misfit(column, table, value, "a number of seconds");
}

/** A value, or its label in any case; shipped labels such as `1 - High` are meant by `High` too. */
function choice(value: Json, column: Column, table: string): string {
  if (typeof value === "object") throw misfit(column, table, value, "one of its choices");
  const text = String(value);
  const choices = column.choices ?? [];
  const wanted = text.trim().toLowerCase();
  const found =
    choices.find((candidate) => candidate.value === text) ??
    choices.find((candidate) => candidate.label.toLowerCase() === wanted) ??
    choices.find((candidate) => candidate.label.toLowerCase().replace(/^-?\d+ - /, "") === wanted);
  if (found !== undefined) return found.value;
  if (!column.closed) return text;
  const offered = choices.map(({ value: offeredValue, label }) => (offeredValue === label ? label : `${label} (${offeredValue})`)).join(", ");
  throw new ConnectorError("VALIDATION", {
    message: `${column.name} of ${table} has no choice “${text}”; it has ${offered}.`,
    advice: "Map the value in the rule to one of the choices, by value or label.",
    fields: [column.name],
  });
}

/** A sys_id, or anything that has one as `id`; a name is tried by the platform itself, and what became of it is read back. */
function referenceId(value: Json, column: Column, table: string): string {
  if (typeof value === "string") return value.trim();
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const { id } = value as { readonly [key: string]: Json };
    if (typeof id === "string" && id !== "") return id;
  }
  throw misfit(column, table, value, `a record of ${column.reference ?? "another table"} or its sys_id`);
}

function plainText(value: Json, column: Column | undefined, table: string): string {
  if (typeof value !== "object") return String(value);
  if (column === undefined) return JSON.stringify(value);
  throw misfit(column, table, value, "text");
}

function misfit(column: Column, table: string, value: Json, wanted: string): ConnectorError {
  const shown = JSON.stringify(value) ?? "";
  return new ConnectorError("VALIDATION", {
    message: `${column.name} of ${table} takes ${wanted}, not ${shown.length > 60 ? `${shown.slice(0, 60)}…` : shown}.`,
    fields: [column.name],
  });
}
