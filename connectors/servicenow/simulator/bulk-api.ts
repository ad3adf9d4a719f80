import type { Hono } from "hono";
import type { SimulatorBindings } from "../../simulation/server.ts";
import type { Account } from "./accounts.ts";
import { type ImportMap, type Instance, newSysId } from "./instance.ts";
import { runQuery } from "./query.ts";
import { insertRecord, updateRecord } from "./records.ts";
import { Refusal, refusals } from "./refusal.ts";
import { requireRead } from "./rights.ts";
import { type ApiContext, api, baseOf, bodyOf } from "./rim.ts";
import { knownTable } from "./table-api.ts";

/** Counting and import sets [D]. */
export function bulkRoutes(app: Hono<SimulatorBindings>, instance: Instance): void {
  api(app, instance, ["GET"], "/stats/:table", (c, account) => {
    const table = knownTable(c, instance);
    requireRead(instance, account, table);
    // Counts do not look at row rights, as the totals of lists do not.
    const { total } = runQuery(table, c.req.query("sysparm_query") ?? "", instance.queryContext(account), 0);
    return c.json({ result: { stats: c.req.query("sysparm_count") === "true" ? { count: String(total) } : {} } });
  });
  api(app, instance, ["POST"], "/import/:staging", async (c, account) => {
    const map = instance.importMaps.find(({ staging }) => staging === c.req.param("staging"));
    if (map === undefined) throw refusals.invalidTable(c.req.param("staging") ?? "");
    return c.json(
      { import_set: `ISET${newSysId().slice(0, 7)}`, staging_table: map.staging, result: [transform(c, instance, account, map, await bodyOf(c))] },
      201,
    );
  });
}

/** Coalescing: an existing record with the same value is updated, otherwise one is inserted. */
function transform(c: ApiContext, instance: Instance, account: Account, map: ImportMap, input: Record<string, unknown>): object {
  const key = String(input[map.coalesce] ?? "");
  const known = key === "" ? undefined : [...instance.store.rows(map.target)].find((row) => row[map.coalesce] === key);
  const outcome = { transform_map: `${map.staging} to ${map.target}`, table: map.target };
  try {
    const row = known === undefined ? insertRecord(instance, account, map.target, input) : updateRecord(instance, account, map.target, known, input);
    const display = instance.schema.displayColumn(map.target);
    const status = known === undefined ? "inserted" : row === known ? "ignored" : "updated";
    return {
      ...outcome,
      display_name: display,
      display_value: row[display] ?? "",
      record_link: `${baseOf(c)}/api/now/table/${map.target}/${row.sys_id ?? ""}`,
      status,
      sys_id: row.sys_id ?? "",
    };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { ...outcome, status: "error", error_message: error.detail ?? error.message };
  }
}
