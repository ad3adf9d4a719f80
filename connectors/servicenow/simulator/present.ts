import type { Account } from "./accounts.ts";
import { columnAt, reader } from "./dot-walk.ts";
import type { Instance } from "./instance.ts";
import { isHidden } from "./rights.ts";
import { type Column, isJournal } from "./schema.ts";
import { displayDate, displayDuration, displayStamp } from "./stamps.ts";
import type { Row } from "./store.ts";

export interface Presentation {
  readonly mode: "false" | "true" | "all";
  readonly excludeLinks: boolean;
  /** Dot-walked or not; unknown ones are ignored. */
  readonly fields: readonly string[] | undefined;
  /** `http://host:port` for links. */
  readonly base: string;
}

/** A record as the Table API writes it: strings, references by mode, journals empty but for their display [R]. */
export function present(instance: Instance, account: Account, table: string, row: Row, how: Presentation): Record<string, unknown> {
  const wanted = how.fields ?? [...instance.schema.columns(table).keys()];
  const shown: Record<string, unknown> = {};
  for (const path of wanted) {
    const column = columnAt(table, path, instance.store);
    if (column === undefined || isHidden(instance, account, table, path)) continue;
    const value = isJournal(column.type) ? "" : reader(table, path, instance.store)(row);
    shown[path] = presentValue(instance, account, column, value, row, how);
  }
  return shown;
}

function presentValue(instance: Instance, account: Account, column: Column, value: string, row: Row, how: Presentation): unknown {
  const isReference = column.type === "reference" && value !== "";
  const link = isReference && !how.excludeLinks ? `${how.base}/api/now/table/${column.reference ?? ""}/${value}` : undefined;
  if (how.mode === "false") return link === undefined ? value : { link, value };
  const display = displayValue(instance, account, column, value, row);
  if (how.mode === "all") return { display_value: display, value, ...(link === undefined ? {} : { link }) };
  return link === undefined ? display : { display_value: display, link };
}

function displayValue(instance: Instance, account: Account, column: Column, value: string, row: Row): string {
  if (isJournal(column.type)) return journalText(instance, account, column.element, row.sys_id ?? "");
  if (value === "") return "";
  const label = [...(column.choices ?? []), ...(column.inactiveChoices ?? [])].find(([choice]) => choice === value)?.[1];
  if (label !== undefined) return label;
  switch (column.type) {
    case "reference":
      return nameOf(instance, column.reference ?? "", value);
    case "glide_list":
      return value
        .split(",")
        .map((id) => (column.reference === undefined ? id : nameOf(instance, column.reference, id) || id))
        .join(", ");
    case "glide_date_time":
    case "due_date":
      return displayStamp(value, account);
    case "glide_date":
      return displayDate(value, account);
    case "currency":
    case "price":
      return displayMoney(value);
    case "glide_duration":
      return displayDuration(value);
    case "sys_class_name":
      return instance.schema.table(value)?.label ?? value;
    default:
      return value;
  }
}

/** `USD;1234.5` is shown as `$1,234.50` [K]. */
function displayMoney(value: string): string {
  const [code = "", amount = ""] = value.split(";");
  return new Intl.NumberFormat("en-US", { style: "currency", currency: code }).format(Number(amount));
}

function nameOf(instance: Instance, table: string, id: string): string {
  const found = instance.store.find(table, id);
  return found === undefined ? "" : (found.row[instance.schema.displayColumn(found.table)] ?? "");
}

const journalKinds: Readonly<Record<string, string>> = { comments: "Additional comments", work_notes: "Work notes" };

/** One blob, newest first, with local times and display names: for people, not for programs [R]. */
function journalText(instance: Instance, account: Account, element: string, recordId: string): string {
  const entries = [...instance.store.rows("sys_journal_field", { kind: "values", column: "element_id", values: [recordId] })].filter(
    (entry) => entry.element_id === recordId && (element === "comments_and_work_notes" || entry.element === element),
  );
  entries.reverse();
  return entries
    .map((entry) => {
      const author = instance.accounts.get(entry.sys_created_by ?? "");
      const name = author === undefined ? entry.sys_created_by : `${author.firstName} ${author.lastName}`;
      return `${displayStamp(entry.sys_created_on ?? "", account)} - ${name} (${journalKinds[entry.element ?? ""] ?? entry.element})\n${entry.value}\n\n`;
    })
    .join("");
}
