import type { Json, Reference } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { salesforceId } from "./id.ts";
import type { SoqlRecord } from "./queries.ts";
import type { SalesforceField } from "./schema.ts";

/** An instant of the API, `2026-05-01T07:25:37.000+0000`, as ISO 8601 in UTC. */
export function isoInstant(text: string): string {
  return new Date(text.replace(/([+-]\d{2})(\d{2})$/, "$1:$2")).toISOString();
}

/** When an instant of a rule is. Without an offset it is UTC, as everywhere else in rules, and not the time zone of this machine. */
export function timeOf(text: string): number {
  return Date.parse(/^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?$/.test(text) ? `${text.replace(" ", "T")}Z` : text);
}

/** A field as rules see it. References take their names from the parent that was read along. */
export function readValue(record: SoqlRecord, field: SalesforceField, nameOf: (type: string) => string): Json {
  const value = record[field.name];
  if (value === null || value === undefined) return field.type === "boolean" ? false : null;
  switch (field.type) {
    case "datetime":
      return isoInstant(String(value));
    case "multipicklist":
      return String(value).split(";");
    case "reference":
      return readReference(record, field, String(value), nameOf);
    default:
      return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : JSON.parse(JSON.stringify(value));
  }
}

/** What the API takes for a value of a rule: ids for references, values for labels, `;`-joined choices. Throws VALIDATION for what cannot be one. */
export function writeValue(value: Json, field: SalesforceField | undefined): Json {
  if (field === undefined || value === null || value === "") return value === "" ? null : value;
  switch (field.type) {
    case "reference":
      return writeReference(value, field);
    case "picklist":
    case "combobox":
      return typeof value === "string" ? choiceValue(value, field) : misfit(value, field);
    case "multipicklist": {
      const parts = Array.isArray(value) ? value : String(value).split(";");
      return parts.map((part: Json) => choiceValue(String(part), field)).join(";") || null;
    }
    case "boolean":
      if (value === "true" || value === "false") return value === "true";
      return typeof value === "boolean" ? value : misfit(value, field);
    case "int":
    case "double":
    case "currency":
    case "percent":
      return isExactNumber(value) ? Number(value) : misfit(value, field);
    case "date":
      return typeof value === "string" && !Number.isNaN(Date.parse(value)) ? value.slice(0, 10) : misfit(value, field);
    case "datetime":
      return typeof value === "string" && !Number.isNaN(timeOf(value)) ? new Date(timeOf(value)).toISOString() : misfit(value, field);
    default:
      return typeof value === "object" ? misfit(value, field) : String(value);
  }
}

/** Digits beyond what a number of JSON holds would be kept as others, without a word. */
function isExactNumber(value: Json): value is number | string {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "string" || value.trim() === "" || !Number.isFinite(Number(value))) return false;
  return digitsOf(value).length <= 15 || digitsOf(value) === digitsOf(String(Number(value)));
}

/** The digits that count, without sign, point, exponent and the zeros around them. */
function digitsOf(number: string): string {
  const [mantissa = ""] = number.toLowerCase().split("e");
  return mantissa.replace(/[^0-9]/g, "").replace(/^0+|0+$/g, "");
}

/** The field of the parent that shows it, and how it is reached in a query. */
export function displayPath(field: SalesforceField, nameOf: (type: string) => string): string | undefined {
  if (field.type !== "reference" || !field.relationshipName) return undefined;
  const targets = field.referenceTo ?? [];
  return `${field.relationshipName}.${targets.length === 1 ? nameOf(targets[0] ?? "") : "Name"}`;
}

function readReference(record: SoqlRecord, field: SalesforceField, id: string, nameOf: (type: string) => string): Reference {
  const targets = field.referenceTo ?? [];
  const parent = field.relationshipName ? record[field.relationshipName] : undefined;
  const shown = typeof parent === "object" && parent !== null ? (parent as Record<string, unknown>) : {}; // an object by the two tests
  const display = shown[targets.length === 1 ? nameOf(targets[0] ?? "") : "Name"];
  const type = targets.length === 1 ? targets[0] : typeof shown.Type === "string" ? shown.Type : typeOfPrefix(id, targets);
  return { id, display: typeof display === "string" ? display : id, type: type ?? "" };
}

/** The few prefixes that polymorphic fields of service objects point at [K]. */
function typeOfPrefix(id: string, targets: readonly string[]): string | undefined {
  const known: Readonly<Record<string, string>> = {
    "005": "User",
    "00G": "Group",
    "001": "Account",
    "003": "Contact",
    "00Q": "Lead",
    "500": "Case",
    "006": "Opportunity",
  };
  return known[id.slice(0, 3)] ?? targets[0];
}

function writeReference(value: Json, field: SalesforceField): Json {
  const text = typeof value === "object" && value !== null && "id" in value ? value.id : value;
  const id = typeof text === "string" ? salesforceId(text) : undefined;
  return id ?? misfit(value, field);
}

function choiceValue(text: string, { picklistValues }: SalesforceField): string {
  const byValue = picklistValues.find(({ value }) => value === text);
  return (byValue ?? picklistValues.find(({ label }) => label === text))?.value ?? text;
}

function misfit(value: Json, field: SalesforceField): never {
  throw new ConnectorError("VALIDATION", {
    message: `${JSON.stringify(value)} does not fit ${field.name} (${field.label}), which is of type ${field.type}.`,
    fields: [field.name],
  });
}
