import type { Instance } from "./instance.ts";
import type { Column } from "./schema.ts";

/**
 * What the database keeps of a value that was sent for a column; undefined when it keeps nothing of it. The platform
 * says nothing about that: invalid choices and ill-formed numbers or dates are dropped, the answer is 200 all the same [R].
 */
export function storedValue(instance: Instance, column: Column, sent: unknown, asDisplay: boolean): string | undefined {
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
      return /^-?\d+$/.test(text.trim()) ? String(BigInt(text.trim())) : undefined;
    case "decimal":
    case "float":
      return Number.isNaN(Number(text)) ? undefined : text.trim();
    case "glide_date_time":
    case "glide_duration":
      return /^\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?$/.test(text) ? (text.length === 10 ? `${text} 00:00:00` : text) : undefined;
    case "glide_date":
      return /^\d{4}-\d\d-\d\d/.exec(text)?.[0];
    case "reference":
      return referenceValue(instance, column.reference ?? "", text, asDisplay);
    default:
      return column.maxLength === undefined ? text : text.slice(0, column.maxLength);
  }
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
