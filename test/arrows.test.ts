import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { arrowViolations, readModule, type SourceModule, sqlOutsideItsRooms } from "./arrows.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

test("modules import only along the arrows of the architecture", () => {
  const modules = projectModules();
  // Guards the test itself: an empty list would pass.
  expect(modules.length).toBeGreaterThan(50);
  expect(arrowViolations(modules)).toEqual([]);
});

test("SQL is written only in the store and the lanes", () => {
  expect(projectModules().flatMap(sqlOutsideItsRooms)).toEqual([]);
});

test.each([
  ["engine/store/rows.ts", `import { serve } from "../server/serve.ts";`, "engine/store/rows.ts may not import engine/server/serve.ts"],
  ["engine/sync/send.ts", `export * from "../server/serve.ts";`, "engine/sync/send.ts may not import engine/server/serve.ts"],
  ["engine/sandbox/pool.ts", `import type { Replica } from "../replica/schema.ts";`, "engine/sandbox/pool.ts may not import engine/replica/schema.ts"],
  ["engine/sandbox/pool.ts", `type Db = import("../store/database.ts").Db;`, "engine/sandbox/pool.ts may not import engine/store/database.ts"],
  ["engine/rules/compile.ts", `const { claim } = await import("../lanes/lanes.ts");`, "engine/rules/compile.ts may not import engine/lanes/lanes.ts"],
  [
    "connectors/acme/read.ts",
    `import { openDatabase } from "../../engine/store/database.ts";`,
    "connectors/acme/read.ts may not import engine/store/database.ts",
  ],
  ["connectors/acme/read.ts", `import { table } from "./simulator/tables.ts";`, "connectors/acme/read.ts may not import connectors/acme/simulator/tables.ts"],
  [
    "engine/sync/send.ts",
    `import { table } from "../../connectors/acme/simulator/tables.ts";`,
    "engine/sync/send.ts may not import connectors/acme/simulator/tables.ts",
  ],
  ["engine/sync/send.ts", `import { withDatabase } from "../../test/database.ts";`, "engine/sync/send.ts may not import test/database.ts"],
  ["engine/server/serve.ts", `import pg from "pg";`, "engine/server/serve.ts may not import pg"],
  ["engine/rules/compile.ts", `const file = new URL("../server/child.ts", import.meta.url);`, "engine/rules/compile.ts may not import engine/server/child.ts"],
])("a planted wrong arrow is found: %s with %s", (path, text, violation) => {
  expect(arrowViolations([readModule(path, text)])).toEqual([violation]);
});

test.each([
  ["engine/main.ts", `import { serve } from "./server/serve.ts";`],
  ["engine/server/serve.ts", `import { send } from "../sync/send.ts"; import { canonical } from "../replica/canonical.ts";`],
  ["engine/sync/send.ts", `import type { Connector } from "../../connectors/connector.ts"; import { claim } from "../lanes/lanes.ts";`],
  ["connectors/acme/read.ts", `import type { Json } from "../../engine/replica/json.ts"; import { axios } from "axios";`],
  ["connectors/acme/simulator/server.ts", `import { tables } from "../../simulation/tables.ts";`],
  ["connectors/acme/read.integration.test.ts", `import { table } from "./simulator/tables.ts"; import { withDatabase } from "../../test/database.ts";`],
  ["engine/demo/accounts.ts", `import { table } from "../../connectors/acme/simulator/tables.ts";`],
  ["test/bench/reads.bench.ts", `import { table } from "../../connectors/acme/simulator/tables.ts"; import pg from "pg";`],
])("a right arrow is left alone: %s with %s", (path, text) => {
  expect(arrowViolations([readModule(path, text)])).toEqual([]);
});

test("a module that only tests use may use what tests may, and no longer once the product uses it", () => {
  const testbed = readModule("connectors/acme/testbed.ts", `import { tables } from "./simulator/tables.ts";`);
  const spec = readModule("connectors/acme/read.integration.test.ts", `import { open } from "./testbed.ts";`);
  const product = readModule("connectors/acme/read.ts", `import { open } from "./testbed.ts";`);
  expect(arrowViolations([testbed, spec])).toEqual([]);
  expect(arrowViolations([testbed, spec, product])).toEqual(["connectors/acme/testbed.ts may not import connectors/acme/simulator/tables.ts"]);
});

test("planted SQL is found in every kind of string, and prose and other query languages are not taken for it", () => {
  const found = (path: string, text: string) => sqlOutsideItsRooms(readModule(path, text));
  expect(found("engine/sync/send.ts", `db.execute("select id from twin where id = $1");`)).toEqual([
    `engine/sync/send.ts holds SQL: select id from twin where id = $1`,
  ]);
  expect(found("engine/server/serve.ts", "sql`update twin set sequence = $" + "{n}`;")).toEqual([
    "engine/server/serve.ts holds SQL: update twin set sequence =",
  ]);
  expect(found("engine/store/twins.ts", `"select id from twin"`)).toEqual([]);
  expect(found("engine/lanes/lanes.ts", `"delete from lane"`)).toEqual([]);
  expect(found("connectors/salesforce/read.ts", `"SELECT Id FROM Case"`)).toEqual([]);
  expect(found("engine/sync/send.ts", `throw new Error("Select an account from the list, or update the settings");`)).toEqual([]);
});

function projectModules(): SourceModule[] {
  return ["engine", "connectors", "test"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(".ts") && !entry.name.endsWith(".d.ts"))
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => readModule(relative(root, path), readFileSync(path, "utf8"))),
  );
}
