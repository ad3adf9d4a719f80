import type { Hono } from "hono";
import type { SimulatorBindings } from "../../simulation/server.ts";
import type { Account } from "./accounts.ts";
import { columnAt, reader } from "./dot-walk.ts";
import type { Instance } from "./instance.ts";
import { present } from "./present.ts";
import { runQuery } from "./query.ts";
import { refusals } from "./refusal.ts";
import { isHidden, requireRead } from "./rights.ts";
import { type ApiContext, api, baseOf } from "./rim.ts";
import type { Row } from "./store.ts";
import { knownTable } from "./table-api.ts";

const aggregates = ["sum", "avg", "min", "max"] as const;

/** `/api/now/stats/{table}`: counts, sums, averages and extremes, for all or by group [D]. Row rights are not looked at, as in the totals of lists. */
export function statsRoutes(app: Hono<SimulatorBindings>, instance: Instance): void {
  api(app, instance, ["GET"], "/stats/:table", (c, account) => {
    const table = knownTable(c, instance);
    requireRead(instance, account, table);
    const groupBy = listed(c, "sysparm_group_by").filter((field) => columnAt(table, field, instance.store) !== undefined);
    const onlyCount = groupBy.length === 0 && aggregates.every((kind) => listed(c, `sysparm_${kind}_fields`).length === 0);
    // Without rows to look at, the index may know how many there are.
    const { rows, total, elements } = runQuery(table, c.req.query("sysparm_query") ?? "", instance.queryContext(account), onlyCount ? 0 : undefined);
    if ([...elements, ...groupBy].some((path) => isHidden(instance, account, table, path))) throw refusals.mayNotQuery();
    if (groupBy.length === 0) return c.json({ result: { stats: statsOf(c, instance, table, rows, total) } });
    return c.json({ result: groups(instance, table, rows, groupBy).map((group) => grouped(c, instance, account, table, group, groupBy)) });
  });
}

function statsOf(c: ApiContext, instance: Instance, table: string, rows: readonly Row[], total: number): object {
  const stats: Record<string, unknown> = {};
  if (c.req.query("sysparm_count") === "true") stats.count = String(total);
  for (const kind of aggregates) {
    const fields = listed(c, `sysparm_${kind}_fields`).filter((field) => columnAt(table, field, instance.store) !== undefined);
    if (fields.length === 0) continue;
    stats[kind] = Object.fromEntries(
      fields.map((field) => {
        const read = reader(table, field, instance.store);
        return [
          field,
          aggregate(
            kind,
            rows.map(read).filter((value) => value !== ""),
          ),
        ];
      }),
    );
  }
  return stats;
}

function aggregate(kind: (typeof aggregates)[number], values: readonly string[]): string {
  if (values.length === 0) return "";
  const numbers = values.map(Number);
  const numeric = numbers.every((value) => !Number.isNaN(value));
  const sum = numbers.reduce((total, value) => total + value, 0);
  if (kind === "sum") return String(sum);
  if (kind === "avg") return String(sum / values.length);
  const sorted = numeric ? numbers.toSorted((a, b) => a - b).map(String) : values.toSorted();
  return (kind === "min" ? sorted[0] : sorted.at(-1)) ?? "";
}

function groups(instance: Instance, table: string, rows: readonly Row[], fields: readonly string[]): Row[][] {
  const readers = fields.map((field) => reader(table, field, instance.store));
  const found = new Map<string, Row[]>();
  for (const row of rows) {
    const key = JSON.stringify(readers.map((read) => read(row)));
    const group = found.get(key);
    if (group === undefined) found.set(key, [row]);
    else group.push(row);
  }
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

function grouped(c: ApiContext, instance: Instance, account: Account, table: string, group: readonly Row[], fields: readonly string[]): object {
  const mode = c.req.query("sysparm_display_value") === "true" ? "true" : "false";
  const [first] = group;
  const shown = first === undefined ? {} : present(instance, account, table, first, { mode, excludeLinks: true, fields, base: baseOf(c) });
  return { stats: statsOf(c, instance, table, group, group.length), groupby_fields: fields.map((field) => ({ field, value: shown[field] ?? "" })) };
}

function listed(c: ApiContext, parameter: string): string[] {
  return (c.req.query(parameter) ?? "").split(",").filter((field) => field !== "");
}
