import type { Condition, Json } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { salesforceId } from "./id.ts";
import type { SalesforceField } from "./schema.ts";
import { timeOf } from "./values.ts";

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f" };

/** A text as a SOQL literal. The backslash goes first in mind: without it `\'` would end the text early [X]. */
export function quoted(text: string): string {
  return `'${text.replace(/[\\'\n\r\t\b\f]/g, (character) => escapes[character] ?? character)}'`;
}

/** An instant as a SOQL literal: unquoted, whole seconds, UTC. */
export function instant(iso: string): string {
  return `${new Date(iso).toISOString().slice(0, 19)}Z`;
}

export function list(texts: readonly string[]): string {
  return `(${texts.map(quoted).join(", ")})`;
}

/** A condition in SOQL; undefined where it can hold for no record (`in` an empty list). Throws BAD_REQUEST for values that do not fit the field. */
export function conditionText(condition: Condition, field: SalesforceField): string | undefined {
  const { operator, value } = condition;
  if (field.filterable === false)
    throw new ConnectorError("BAD_REQUEST", { message: `Salesforce cannot search by ${field.name}: it is a long text.`, fields: [field.name] });
  if (operator === "in") {
    const values = Array.isArray(value) ? value : [value];
    return values.length === 0 ? undefined : `${field.name} IN (${values.map((entry: Json) => literal(entry, field)).join(", ")})`;
  }
  if (operator === "contains" || operator === "startsWith") {
    const text = likeText(String(value));
    return `${field.name} LIKE '${operator === "contains" ? "%" : ""}${text}%'`;
  }
  if (field.type === "multipicklist" && operator === "=" && typeof value === "string") return `${field.name} INCLUDES (${quoted(value)})`;
  return `${field.name} ${operator} ${literal(value, field)}`;
}

/** A text inside a LIKE pattern, where `%` and `_` stand for themselves. */
function likeText(text: string): string {
  return text.replace(/[\\'\n\r\t\b\f%_]/g, (character) => escapes[character] ?? `\\${character}`);
}

function literal(value: Json, field: SalesforceField): string {
  if (value === null || value === "") return "null";
  switch (field.type) {
    case "boolean":
      if (typeof value === "boolean") return String(value);
      if (value === "true" || value === "false") return value;
      break;
    case "int":
    case "double":
    case "currency":
    case "percent":
      if ((typeof value === "number" || typeof value === "string") && Number.isFinite(Number(value))) return String(Number(value));
      break;
    case "datetime":
      if (typeof value === "string" && !Number.isNaN(timeOf(value))) return instant(new Date(timeOf(value)).toISOString());
      break;
    case "date":
      if (typeof value === "string" && !Number.isNaN(Date.parse(value))) return value.slice(0, 10);
      break;
    case "id":
    case "reference": {
      const text = typeof value === "object" && "id" in value ? value.id : value;
      const id = typeof text === "string" ? salesforceId(text) : undefined;
      if (id !== undefined) return quoted(id);
      break;
    }
    case "picklist":
    case "multipicklist":
    case "combobox":
      if (typeof value === "string") return quoted(field.picklistValues.find(({ label }) => label === value)?.value ?? value);
      break;
    default:
      if (typeof value !== "object") return quoted(String(value));
  }
  throw new ConnectorError("BAD_REQUEST", {
    message: `${JSON.stringify(value)} does not fit ${field.name}, which is of type ${field.type}.`,
    fields: [field.name],
  });
}
