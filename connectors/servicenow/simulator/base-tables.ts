import { catalogTables } from "./catalog-tables.ts";
import { configurationTables } from "./configuration-tables.ts";
import { directoryTables } from "./directory-tables.ts";
import { platformTables } from "./platform-tables.ts";
import type { TableDefinition } from "./schema.ts";
import { taskTables } from "./task-tables.ts";

/** What a fresh instance has, as far as connectors meet it. */
export const baseTables: readonly TableDefinition[] = [...taskTables, ...catalogTables, ...directoryTables, ...configurationTables, ...platformTables];
