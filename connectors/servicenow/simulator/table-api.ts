import type { Hono } from "hono";
import type { SimulatorBindings } from "../../simulation/server.ts";
import type { Account } from "./accounts.ts";
import { columnAt } from "./dot-walk.ts";
import type { Instance } from "./instance.ts";
import { type Presentation, present } from "./present.ts";
import { runQuery } from "./query.ts";
import { deleteRecord, insertRecord, type SaveOptions, updateRecord } from "./records.ts";
import { refusals } from "./refusal.ts";
import { isHidden, maySeeRow, requireRead } from "./rights.ts";
import { type ApiContext, api, baseOf, bodyOf } from "./rim.ts";
import type { Row } from "./store.ts";

const defaultLimit = 10_000;

/** `/api/now[/v1|/v2]/table/…` [D]. */
export function tableRoutes(app: Hono<SimulatorBindings>, instance: Instance): void {
  api(app, instance, ["GET"], "/table/:table", (c, account, version) => list(c, instance, account, version));
  api(app, instance, ["POST"], "/table/:table", async (c, account) => {
    const override = c.req.header("x-http-method-override")?.toUpperCase();
    if (override === "GET") return list(c, instance, account, "");
    const table = knownTable(c, instance);
    const row = insertRecord(instance, account, table, await bodyOf(c), inputOf(c));
    const location = { location: `${baseOf(c)}/api/now/table/${table}/${row.sys_id ?? ""}` };
    return c.req.header("x-no-response-body") === "true"
      ? c.body(null, 201, location)
      : c.json({ result: present(instance, account, table, row, presentation(c)) }, 201, location);
  });
  api(app, instance, ["GET"], "/table/:table/:id", (c, account) => {
    const { row, table } = record(c, instance, account);
    return c.json({ result: present(instance, account, table, row, presentation(c)) });
  });
  api(app, instance, ["PATCH", "PUT", "POST"], "/table/:table/:id", async (c, account) => {
    const override = c.req.header("x-http-method-override")?.toUpperCase();
    const { row, table } = record(c, instance, account);
    if (override === "DELETE") return remove(c, instance, account, table, row);
    if (c.req.method === "POST" && override !== "PATCH" && override !== "PUT") throw refusals.noResource();
    const saved = updateRecord(instance, account, table, row, await bodyOf(c), inputOf(c));
    return c.req.header("x-no-response-body") === "true" ? c.body(null, 200) : c.json({ result: present(instance, account, table, saved, presentation(c)) });
  });
  api(app, instance, ["DELETE"], "/table/:table/:id", (c, account) => {
    const { row, table } = record(c, instance, account);
    return remove(c, instance, account, table, row);
  });
}

export function knownTable(c: ApiContext, instance: Instance): string {
  const table = c.req.param("table") ?? "";
  if (instance.schema.table(table) === undefined) throw refusals.invalidTable(table);
  return table;
}

export interface Page {
  readonly rows: readonly Row[];
  /** All rows that match, seen or not [R]. */
  readonly total: number;
}

/** Runs `sysparm_query` for this account: the limit comes before row rights, so a page may be short or empty before the end [D]. */
export function queryPage(c: ApiContext, instance: Instance, account: Account, table: string, limitByDefault = defaultLimit): Page {
  requireRead(instance, account, table);
  const offset = natural(c.req.query("sysparm_offset"), 0);
  const end = offset + natural(c.req.query("sysparm_limit"), limitByDefault);
  const { rows, total, elements } = runQuery(table, queryText(c, table, instance), instance.queryContext(account), end);
  if (elements.some((path) => isHidden(instance, account, table, path))) throw refusals.mayNotQuery();
  return { rows: rows.slice(offset, end).filter((row) => maySeeRow(instance, account, row.sys_class_name || table, row)), total };
}

/** `X-Total-Count` and `Link`, comma-joined without blanks, absent when everything fits on one page [R]. */
export function pagingHeaders(c: ApiContext, total: number, limitByDefault = defaultLimit): Record<string, string> {
  const headers: Record<string, string> = {};
  if (c.req.query("sysparm_no_count") !== "true") headers["x-total-count"] = String(total);
  const limit = natural(c.req.query("sysparm_limit"), limitByDefault);
  const offset = natural(c.req.query("sysparm_offset"), 0);
  if (limit === 0 || total <= limit || c.req.query("sysparm_suppress_pagination_header") === "true") return headers;
  const last = Math.floor((total - 1) / limit) * limit;
  const links: [string, number][] = [["first", 0]];
  if (offset + limit < total) links.push(["next", offset + limit]);
  if (offset > 0) links.push(["prev", Math.max(0, offset - limit)]);
  links.push(["last", last]);
  headers.link = links
    .map(([relation, position]) => {
      const url = new URL(c.req.url);
      url.searchParams.set("sysparm_offset", String(position));
      return `<${url.href}>;rel="${relation}"`;
    })
    .join(",");
  return headers;
}

function inputOf(c: ApiContext): SaveOptions {
  return { asDisplay: c.req.query("sysparm_input_display_value") === "true" };
}

function presentation(c: ApiContext): Presentation {
  const mode = c.req.query("sysparm_display_value");
  const fields = c.req.query("sysparm_fields");
  return {
    mode: mode === "true" || mode === "all" ? mode : "false",
    excludeLinks: c.req.query("sysparm_exclude_reference_link") === "true",
    fields: fields === undefined || fields === "" ? undefined : fields.split(",").map((field) => field.trim()),
    base: baseOf(c),
  };
}

function list(c: ApiContext, instance: Instance, account: Account, version: "" | "v1" | "v2"): Response {
  const table = knownTable(c, instance);
  const { rows, total } = queryPage(c, instance, account, table);
  // v1 says 404 for an empty list, the others an empty list [D].
  if (version === "v1" && total === 0)
    return c.json({ error: { message: "No Record found", detail: "Records matching query not found" }, status: "failure" }, 404);
  const how = presentation(c);
  const result = rows.map((row) => present(instance, account, row.sys_class_name || table, row, narrowed(how, instance, table)));
  const { cancelAfterRows } = instance.settings;
  if (cancelAfterRows !== null && result.length > cancelAfterRows) {
    const error = {
      message: "Transaction cancelled: maximum execution time exceeded",
      detail: "Check logs for error trace or enable glide.rest.debug property",
    };
    return c.json({ result: result.slice(0, cancelAfterRows), error, status: "failure" });
  }
  return c.json({ result }, 200, pagingHeaders(c, total));
}

/** A list through a parent table shows the parent's columns, whatever class the rows are of. */
function narrowed(how: Presentation, instance: Instance, table: string): Presentation {
  return how.fields === undefined ? { ...how, fields: [...instance.schema.columns(table).keys()] } : how;
}

/** Any `name=value` that is no parameter of the API is a filter, unless there is a query [D]. */
function queryText(c: ApiContext, table: string, instance: Instance): string {
  const query = c.req.query("sysparm_query");
  if (query !== undefined) return query;
  return Object.entries(c.req.query())
    .filter(([name]) => !name.startsWith("sysparm_") && columnAt(table, name, instance.store) !== undefined)
    .map(([name, value]) => `${name}=${value}`)
    .join("^");
}

function record(c: ApiContext, instance: Instance, account: Account): { readonly row: Row; readonly table: string } {
  const table = knownTable(c, instance);
  requireRead(instance, account, table);
  const found = instance.store.find(table, c.req.param("id") ?? "");
  if (found === undefined || !maySeeRow(instance, account, found.table, found.row)) throw refusals.noRecord();
  return found;
}

function remove(c: ApiContext, instance: Instance, account: Account, table: string, row: Row): Response {
  deleteRecord(instance, account, table, row);
  return c.body(null, 204);
}

function natural(text: string | undefined, otherwise: number): number {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : otherwise;
}
