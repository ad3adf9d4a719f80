import type { Account } from "./accounts.ts";
import type { Instance } from "./instance.ts";
import type { Column } from "./schema.ts";
import { stampFromDisplay } from "./stamps.ts";

/**
 * What the database keeps of a value that was sent for a column; undefined when it keeps nothing of it. The platform
 * says nothing about that: invalid choices and ill-formed numbers or dates are dropped, the answer is 200 all the same [R].
 */
export function storedValue(instance: Instance, account: Account, column: Column, sent: unknown, asDisplay: boolean): string | undefined {
  if (sent === null) return "";
  if (typeof sent === "object") return undefined;
  const text = String(sent);
  if (text === "") return "";
  if (column.choices !== undefined && column.choice !== 2) return choiceValue(column.choices, text, asDisplay);
  switch (column.type) {
    case "password":
      return undefined;
    case "boolean":
      return String(/^(true|1|yes)$/i.test(text));
    case "integer":
    case "longint":
      return /^-?\d+$/.test(text.trim()) ? String(BigInt(text.trim())) : undefined;
    case "decimal":
    case "float":
      return Number.isNaN(Number(text)) ? undefined : text.trim();
    case "currency":
    case "price":
      return currencyValue(text);
    case "glide_date_time":
    case "due_date":
      return (asDisplay ? stampFromDisplay(text, account) : undefined) ?? stampValue(text);
    case "glide_duration":
      return stampValue(text);
    case "glide_date":
      return asDisplay ? stampFromDisplay(text, { ...account, timeZone: "UTC" })?.slice(0, 10) : /^\d{4}-\d\d-\d\d/.exec(text)?.[0];
    case "reference":
      return referenceValue(instance, column.reference ?? "", text, asDisplay);
    default:
      return column.maxLength === undefined ? text : text.slice(0, column.maxLength);
  }
}

function stampValue(text: string): string | undefined {
  if (!/^\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?$/.test(text)) return undefined;
  return text.length === 10 ? `${text} 00:00:00` : text;
}

/** `USD;12.30` [D]; a bare number is in the system's currency. */
function currencyValue(text: string): string | undefined {
  const [, code = "USD", amount] = /^(?:([A-Z]{3});)?(-?\d+(?:\.\d+)?)$/.exec(text.trim()) ?? [];
  return amount === undefined ? undefined : `${code};${amount}`;
}

function choiceValue(choices: readonly (readonly [string, string])[], text: string, asDisplay: boolean): string | undefined {
  return choices.find(([value, label]) => (asDisplay ? label === text || value === text : value === text))?.[0];
}

/** A sys_id is kept as it is, whether or not it exists; any other text is tried as the display value [K]. */
function referenceValue(instance: Instance, table: string, text: string, asDisplay: boolean): string | undefined {
  if (!asDisplay && /^[0-9a-f]{32}$/.test(text)) return text;
  if (instance.schema.table(table) === undefined) return undefined;
  const display = instance.schema.displayColumn(table);
  for (const row of instance.store.rows(table)) if (row[display] === text) return row.sys_id;
  return undefined;
}
