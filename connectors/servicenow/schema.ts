import { ConnectorError } from "../errors.ts";
import type { ServiceNowClient } from "./client.ts";
import { readDictionary } from "./dictionary.ts";
import { sampledTable } from "./sampled-schema.ts";
import { requireTableName, type TableSchema } from "./table-schema.ts";
import { textOf } from "./values.ts";

/** The schemas of one instance, each believed for a while. */
export class Schemas {
  readonly #client: ServiceNowClient;
  readonly #keepMs: number;
  readonly #known = new Map<string, { readonly schema: Promise<TableSchema>; readonly until: number }>();
  readonly #classes = new Map<string, { readonly classes: Promise<readonly string[]>; readonly until: number }>();

  constructor(client: ServiceNowClient, keepMs: number) {
    this.#client = client;
    this.#keepMs = keepMs;
  }

  /** BAD_REQUEST for a table that does not exist. */
  async table(name: string): Promise<TableSchema> {
    requireTableName(name);
    return await this.#remembered(
      this.#known,
      name,
      (entry) => entry.schema,
      () => {
        const schema = this.#load(name);
        return { schema, until: Date.now() + this.#keepMs };
      },
    );
  }

  /** The table and all tables below it: their journal entries and attachments go by the name of the record's own class. */
  async classes(name: string): Promise<readonly string[]> {
    requireTableName(name);
    return await this.#remembered(
      this.#classes,
      name,
      (entry) => entry.classes,
      () => {
        const classes = this.#loadClasses(name);
        return { classes, until: Date.now() + this.#keepMs };
      },
    );
  }

  async #remembered<Entry extends { readonly until: number }, Value>(
    map: Map<string, Entry>,
    name: string,
    pick: (entry: Entry) => Promise<Value>,
    make: () => Entry,
  ): Promise<Value> {
    let entry = map.get(name);
    if (entry === undefined || entry.until <= Date.now()) {
      entry = make();
      map.set(name, entry);
    }
    try {
      return await pick(entry);
    } catch (error) {
      if (map.get(name) === entry) map.delete(name);
      throw error;
    }
  }

  async #load(name: string): Promise<TableSchema> {
    // Roles of integrations often see nothing of the dictionary [R]: then the fields are learnt from records.
    return (await readDictionary(this.#client, name)) ?? (await sampledTable(this.#client, name));
  }

  async #loadClasses(name: string): Promise<readonly string[]> {
    const classes = [name];
    try {
      for (let level = classes; level.length > 0; ) {
        const rows = await this.#client.listAll({ table: "sys_db_object", query: `super_class.nameIN${level.join(",")}^ORDERBYname`, fields: ["name"] });
        level = rows.map((row) => textOf(row, "name")).filter((found) => /^[a-z0-9_]+$/.test(found) && !classes.includes(found));
        classes.push(...level);
      }
    } catch (error) {
      if (!(error instanceof ConnectorError) || error.code !== "PERMISSION") throw error;
    }
    return classes;
  }
}
