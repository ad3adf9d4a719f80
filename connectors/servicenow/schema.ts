import type { ServiceNowClient } from "./client.ts";
import { readDictionary } from "./dictionary.ts";
import { completed } from "./partial-schema.ts";
import { sampledTable } from "./sampled-schema.ts";
import { requireTableName, type TableSchema } from "./table-schema.ts";
import { textOf } from "./values.ts";

/** How long a schema is believed that was sampled from no record. */
const provisionalMs = 5000;

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
        const entry = { schema: this.#load(name), until: Date.now() + this.#keepMs };
        entry.schema.then(
          ({ provisional }) => {
            if (provisional) entry.until = Math.min(entry.until, Date.now() + provisionalMs);
          },
          // Whoever waits for the schema meets the error.
          () => undefined,
        );
        return entry;
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
    const reading = await readDictionary(this.#client, name);
    if (reading?.parentsKnown === true && reading.choicesKnown) return reading.schema;
    const sample = await sampledTable(this.#client, name);
    return reading === undefined ? sample : completed(reading, sample);
  }

  async #loadClasses(name: string): Promise<readonly string[]> {
    const classes = [name];
    for (let level = classes; level.length > 0; ) {
      const request = { table: "sys_db_object", query: `super_class.nameIN${level.join(",")}^ORDERBYname`, fields: ["name"] };
      const rows = await this.#client.absences.unlessOutOfReach("sys_db_object", () => this.#client.listAll(request));
      level = (rows ?? []).map((row) => textOf(row, "name")).filter((found) => /^[a-z0-9_]+$/.test(found) && !classes.includes(found));
      classes.push(...level);
    }
    return classes;
  }
}
