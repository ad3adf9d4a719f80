import { internalJournal, publicJournal } from "./table-schema.ts";
import type { Column } from "./values.ts";

/** Shipped tables that extend task, directly or not [D]: their parent is known even where the list of tables is not. */
const taskTables: ReadonlySet<string> = new Set([
  "change_request",
  "change_task",
  "incident",
  "incident_task",
  "problem",
  "problem_task",
  "sc_req_item",
  "sc_request",
  "sc_task",
  "sn_customerservice_case",
  "sn_customerservice_task",
  "sn_si_incident",
  "task",
]);

export function extendsTask(table: string): boolean {
  return taskTables.has(table);
}

export const taskJournals: readonly string[] = [publicJournal, internalJournal];

/** Columns that a task table has as shipped [D], for want of a record that shows them. An instance may have changed the choices, so none is closed. */
export function shippedColumns(table: string): ReadonlyMap<string, Column> {
  if (!extendsTask(table)) return new Map();
  const column = (name: string, type: Column["type"], more: Partial<Column> = {}): Column => ({
    name,
    label: name,
    type,
    internalType: "",
    closed: false,
    ...more,
  });
  const columns = [
    column("sys_id", "computed"),
    column("sys_class_name", "computed"),
    column("sys_created_on", "instant"),
    column("sys_created_by", "text"),
    column("sys_updated_on", "instant"),
    column("sys_updated_by", "text"),
    column("sys_mod_count", "integer"),
    column("number", "text"),
    column("active", "boolean"),
    column("short_description", "text"),
    column("description", "longText"),
    column("state", "choice", labelled(states[table])),
    column("priority", "choice", labelled({ 1: "1 - Critical", 2: "2 - High", 3: "3 - Moderate", 4: "4 - Low", 5: "5 - Planning" })),
    column("urgency", "choice", labelled({ 1: "1 - High", 2: "2 - Medium", 3: "3 - Low" })),
    column("impact", "choice", labelled({ 1: "1 - High", 2: "2 - Medium", 3: "3 - Low" })),
    column("assigned_to", "reference", { reference: "sys_user" }),
    column("assignment_group", "reference", { reference: "sys_user_group" }),
    column("opened_at", "instant"),
    column("closed_at", "instant"),
    column("due_date", "instant"),
    column("correlation_id", "text"),
    column("correlation_display", "text"),
    ...(table === "incident" ? [column("caller_id", "reference", { reference: "sys_user" })] : []),
  ];
  return new Map(columns.map((one) => [one.name, one]));
}

/** Only where the shipped states are the same everywhere; other tables have states of their own. */
const states: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  incident: { 1: "New", 2: "In Progress", 3: "On Hold", 6: "Resolved", 7: "Closed", 8: "Canceled" },
};

function labelled(labels: Readonly<Record<string, string>> | undefined): Partial<Column> {
  return labels === undefined ? {} : { choices: Object.entries(labels).map(([value, label]) => ({ value, label })) };
}
