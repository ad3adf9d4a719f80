import { salesforceId } from "../id.ts";
import { ApiError } from "./api-error.ts";
import type { FieldDefinition } from "./definitions.ts";

export type Value = string | number | boolean | null;

/** The value as the org keeps it: `""` is null, blanks around text go [K], ids get 18 characters, instants one form. Throws the platform's complaint. */
export function storedValue(field: FieldDefinition, given: unknown): Value {
  if (given === null || given === undefined) return field.type === "boolean" ? false : null;
  if (typeof given === "object")
    throw parserError(`Cannot deserialize instance of ${soapName(field)} from ${Array.isArray(given) ? "START_ARRAY" : "START_OBJECT"} value`);
  switch (field.type) {
    case "boolean":
      if (typeof given === "boolean") return given;
      if (given === "true" || given === "false") return given === "true";
      throw parserError(`Cannot deserialize instance of boolean from value ${JSON.stringify(given)}`);
    case "int":
    case "double":
    case "currency":
    case "percent":
      return storedNumber(field, given);
    case "date":
      return storedDate(field, given);
    case "datetime":
      return storedInstant(given);
    case "id":
    case "reference":
      return storedReference(field, given);
    case "picklist":
      return storedChoice(field, String(given));
    case "multipicklist":
      return storedChoices(field, String(given));
    case "base64":
      return String(given);
    default:
      return storedText(field, given);
  }
}

/** An instant as the platform writes it: whole seconds, always `.000+0000` [R]. */
export function instantText(date: Date): string {
  return `${date.toISOString().slice(0, 19)}.000+0000`;
}

function storedText(field: FieldDefinition, given: string | number | boolean | unknown): Value {
  if (typeof given !== "string")
    throw parserError(`Cannot deserialize instance of string from ${typeof given === "number" ? "VALUE_NUMBER_INT" : "VALUE_TRUE"} value ${String(given)}`);
  const text = given.trim();
  if (text === "") return null;
  const limit = field.length ?? 255;
  const size = field.name === "CommentBody" && limit === 4000 ? Buffer.byteLength(text) : text.length;
  if (size > limit)
    throw new ApiError(400, "STRING_TOO_LONG", `${field.label ?? field.name}: data value too large: ${text} (max length=${limit})`, [field.name]);
  if (field.type === "email" && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text)) {
    throw new ApiError(400, "INVALID_EMAIL_ADDRESS", `${field.label ?? field.name}: invalid email address: ${text}`, [field.name]);
  }
  return text;
}

function storedNumber(field: FieldDefinition, given: unknown): Value {
  if (given === "") return null;
  const number = typeof given === "number" ? given : Number(given);
  if (!Number.isFinite(number) || typeof given === "boolean")
    throw parserError(`Cannot deserialize instance of ${soapName(field)} from value ${JSON.stringify(given)}`);
  if (field.type === "int") {
    if (!Number.isInteger(number)) throw parserError(`Cannot deserialize instance of int from VALUE_NUMBER_FLOAT value ${number}`);
    return number;
  }
  const scale = field.scale ?? 2;
  return Math.round(number * 10 ** scale) / 10 ** scale;
}

function storedDate(field: FieldDefinition, given: unknown): Value {
  if (given === "") return null;
  const text = String(given);
  if (!/^\d{4}-\d{2}-\d{2}/.test(text) || Number.isNaN(Date.parse(text)))
    throw parserError(`Cannot deserialize instance of ${soapName(field)} from VALUE_STRING value ${text}`);
  return text.slice(0, 10);
}

function storedInstant(given: unknown): Value {
  if (given === "") return null;
  const text = String(given).replace(/([+-]\d{2})(\d{2})$/, "$1:$2");
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time))
    throw parserError(`Cannot deserialize instance of datetime from VALUE_STRING value ${String(given)} or request may be missing a required field`);
  return instantText(new Date(time));
}

function storedReference(field: FieldDefinition, given: unknown): Value {
  if (given === "") return null;
  const id = salesforceId(String(given));
  if (id === undefined) throw new ApiError(400, "MALFORMED_ID", `${field.label ?? field.name}: id value of incorrect type: ${String(given)}`, [field.name]);
  return id;
}

function storedChoice(field: FieldDefinition, given: string): Value {
  const text = given.trim();
  if (text === "") return null;
  const entry = field.picklist?.find(({ value }) => value.toLowerCase() === text.toLowerCase());
  if (entry !== undefined) return entry.value;
  if (!field.restricted) return text;
  throw new ApiError(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", `${field.label ?? field.name}: bad value for restricted picklist field: ${text}`, [
    field.name,
  ]);
}

function storedChoices(field: FieldDefinition, given: string): Value {
  const parts = given.split(";").flatMap((part) => storedChoice(field, part) ?? []);
  return parts.length === 0 ? null : [...new Set(parts)].join(";");
}

function parserError(message: string): ApiError {
  return new ApiError(400, "JSON_PARSER_ERROR", message);
}

function soapName(field: FieldDefinition): string {
  return field.type === "datetime" || field.type === "date" || field.type === "int" || field.type === "boolean"
    ? field.type
    : field.type === "double" || field.type === "currency" || field.type === "percent"
      ? "double"
      : "string";
}
