import { createHash } from "node:crypto";
import { z } from "zod";
import { attached } from "./attachment-api.ts";
import type { Control } from "./controls.ts";
import { newSysId } from "./instance.ts";
import { plant } from "./plant.ts";
import type { TableDefinition } from "./schema.ts";
import { runScript, scriptSchema } from "./scripts.ts";

const columnSchema = z.looseObject({ element: z.string(), label: z.string() });
const tableSchema = z.looseObject({ name: z.string(), label: z.string(), columns: z.array(columnSchema).default([]) });
const tieSchema = z.strictObject({ count: z.int().min(1).max(100_000), stamp: z.string().optional(), fields: z.record(z.string(), z.string()).default({}) });
const plantedFile = z.strictObject({
  table: z.string(),
  recordId: z.string(),
  fileName: z.string(),
  type: z.string().default("application/octet-stream"),
  bytes: z.int().min(0),
});

/** The database, past all rights and rules. */
export const recordControls: readonly Control[] = [
  {
    method: "POST",
    path: "schema",
    text: 'Adds a table, or columns to one: {"name", "label", "extends", "attributes", "columns": [{"element", "label", "type", "reference", "choices", …}]}.',
    run: async (c, instance) => {
      // The schema above checks what the simulator relies on; further keys are the optional ones of the type.
      instance.define(tableSchema.parse(await c.req.json()) as TableDefinition);
      return c.body(null, 204);
    },
  },
  {
    method: "GET",
    path: "tables/:table",
    text: "Rows as the database holds them.",
    run: (c, instance) => {
      const table = c.req.param("table") ?? "";
      return instance.schema.table(table) === undefined ? c.json({ error: "no such table" }, 404) : c.json([...instance.store.rows(table)]);
    },
  },
  {
    method: "POST",
    path: "tables/:table",
    text: "Puts rows [{element: value}] straight into the database; answers their sys_ids.",
    run: async (c, instance) => {
      const rows = z.array(z.record(z.string(), z.string())).parse(await c.req.json());
      return c.json(
        rows.map((row) => plant(instance, c.req.param("table") ?? "", row)),
        201,
      );
    },
  },
  {
    method: "PATCH",
    path: "tables/:table/:id",
    text: "Rewrites a row; no stamp moves but those given.",
    run: async (c, instance) => {
      const found = instance.store.find(c.req.param("table") ?? "", c.req.param("id") ?? "");
      if (found === undefined) return c.json({ error: "no such record" }, 404);
      instance.store.put(found.table, { ...found.row, ...z.record(z.string(), z.string()).parse(await c.req.json()) });
      return c.body(null, 204);
    },
  },
  {
    method: "POST",
    path: "tables/:table/ties",
    text: 'A tie storm: {"count", "stamp", "fields"} makes so many records of one second, now or then; answers their sys_ids.',
    run: async (c, instance) => {
      const { count, stamp = instance.stamp(), fields } = tieSchema.parse(await c.req.json());
      const stamps = { sys_created_on: stamp, sys_updated_on: stamp };
      return c.json(
        Array.from({ length: count }, () => plant(instance, c.req.param("table") ?? "", { ...fields, ...stamps })),
        201,
      );
    },
  },
  {
    method: "POST",
    path: "scripts",
    text:
      'A script on the server: {"table", "query", "set": {element: value}, "autoSysFields": false, "workflow": false, "userName"} edits what matches; ' +
      '"delete": "deleteRecord" or "deleteMultiple" (no tombstones) removes it. Answers {"count"}.',
    run: async (c, instance) => c.json({ count: runScript(instance, scriptSchema.parse(await c.req.json())) }),
  },
  {
    method: "POST",
    path: "attachments",
    text: 'Attaches a file that is made while it is read: {"table", "recordId", "fileName", "type", "bytes"}, as large as wanted. Answers its sys_id.',
    run: async (c, instance) => {
      const { bytes, ...upload } = plantedFile.parse(await c.req.json());
      const id = newSysId();
      instance.tables.put("__generated", id, { bytes: String(bytes) });
      attached(instance, "system", { ...upload, id, bytes });
      return c.json({ sys_id: id }, 201);
    },
  },
  {
    method: "GET",
    path: "attachments/:id",
    text: "Bytes and SHA-256 of an uploaded file.",
    run: async (c, instance) => {
      const id = c.req.param("id") ?? "";
      if (instance.store.find("sys_attachment", id) === undefined) return c.json({ error: "no such file" }, 404);
      const file = instance.fileOf(id);
      const hash = createHash("sha256");
      for await (const chunk of file.open()) hash.update(chunk);
      return c.json({ bytes: file.size, sha256: hash.digest("hex") });
    },
  },
  {
    method: "GET",
    path: "statistics",
    text: "rowsVisited: how many rows were looked at so far to answer queries.",
    run: (c, instance) => c.json({ rowsVisited: instance.store.rowsVisited }),
  },
];
