import type { Hono } from "hono";
import type { SimulatorBindings } from "../../simulation/server.ts";
import type { Account } from "./accounts.ts";
import type { ImportMap, Instance } from "./instance.ts";
import { insertRecord, updateRecord } from "./records.ts";
import { Refusal, refusals } from "./refusal.ts";
import { type ApiContext, api, baseOf, bodyOf } from "./rim.ts";
import type { Row } from "./store.ts";

/** `/api/now/import/{staging}`: one record, or with `/insertMultiple` many, through the transform map of a staging table [D]. */
export function importRoutes(app: Hono<SimulatorBindings>, instance: Instance): void {
  api(app, instance, ["POST"], "/import/:staging", async (c, account) => {
    const map = mapOf(c, instance);
    return c.json({ import_set: nextImportSet(instance), staging_table: map.staging, result: [transform(c, instance, account, map, await bodyOf(c))] }, 201);
  });
  api(app, instance, ["POST"], "/import/:staging/insertMultiple", async (c, account) => {
    const map = mapOf(c, instance);
    const { records } = await bodyOf(c);
    if (!Array.isArray(records)) throw refusals.unreadableRequest();
    const result = records.map((record: unknown) => transform(c, instance, account, map, typeof record === "object" ? { ...record } : {}));
    return c.json({ import_set: nextImportSet(instance), staging_table: map.staging, result }, 201);
  });
}

function mapOf(c: ApiContext, instance: Instance): ImportMap {
  const staging = c.req.param("staging") ?? "";
  const map = instance.importMaps.find((one) => one.staging === staging);
  if (map === undefined) throw refusals.invalidTable(staging);
  return map;
}

function nextImportSet(instance: Instance): string {
  const number = Number(instance.tables.get("__counter", "import set")?.next ?? "10001");
  instance.tables.put("__counter", "import set", { next: String(number + 1) });
  return `ISET${String(number).padStart(7, "0")}`;
}

/** Coalescing: an existing record with the same value is updated, otherwise one is inserted. Values are strings [D]; what is none is left out. */
function transform(c: ApiContext, instance: Instance, account: Account, map: ImportMap, input: Readonly<Record<string, unknown>>): object {
  const fields = Object.fromEntries(
    Object.entries(input)
      .filter(([, value]) => typeof value === "string")
      .map(([element, value]) => [map.fields[element] ?? element, value]),
  );
  const known = coalesced(instance, map, String(fields[map.coalesce] ?? ""));
  const outcome = { transform_map: `${map.staging} to ${map.target}`, table: map.target };
  try {
    const row = known === undefined ? insertRecord(instance, account, map.target, fields) : updateRecord(instance, account, map.target, known, fields);
    const display = instance.schema.displayColumn(map.target);
    return {
      ...outcome,
      display_name: display,
      display_value: row[display] ?? "",
      record_link: `${baseOf(c)}/api/now/table/${map.target}/${row.sys_id ?? ""}`,
      status: known === undefined ? "inserted" : row === known ? "ignored" : "updated",
      sys_id: row.sys_id ?? "",
    };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { ...outcome, status: "error", error_message: error.detail ?? error.message };
  }
}

function coalesced(instance: Instance, map: ImportMap, key: string): Row | undefined {
  if (key === "") return undefined;
  for (const row of instance.store.rows(map.target, { kind: "values", column: map.coalesce, values: [key] })) if (row[map.coalesce] === key) return row;
  return undefined;
}
