import type { ServiceNowClient } from "./client.ts";
import type { ServiceNowSettings } from "./config.ts";
import { readDictionary } from "./dictionary.ts";
import { completed } from "./partial-schema.ts";
import { sampledTable } from "./sampled-schema.ts";
import { suppliedLine, suppliedTable, withSupplied } from "./supplied-schema.ts";
import { adapted, requireTableName, type TableSchema } from "./table-schema.ts";
import { extendsTask } from "./task-columns.ts";
import { textOf } from "./values.ts";

type SchemaSettings = Pick<ServiceNowSettings, "schemaSeconds" | "schema" | "markerField" | "statusFields">;

/** How long a schema is believed that was sampled from no record. */
const provisionalMs = 5000;

/** The schemas of one instance, each believed for a while. */
export class Schemas {
  readonly #client: ServiceNowClient;
  readonly #settings: SchemaSettings;
  readonly #known = new Map<string, { readonly schema: Promise<TableSchema>; readonly until: number }>();
  readonly #parents = new Map<string, readonly string[]>();
  readonly #classes = new Map<string, { readonly classes: Promise<readonly string[]>; readonly until: number }>();

  constructor(client: ServiceNowClient, settings: SchemaSettings) {
    this.#client = client;
    this.#settings = settings;
  }

  /** The tables above one whose schema is known at this moment; asks nobody. */
  parentsOf(name: string): readonly string[] {
    return this.#parents.get(name) ?? (extendsTask(name) && name !== "task" ? ["task"] : []);
  }

  /** BAD_REQUEST for a table that does not exist. */
  async table(name: string): Promise<TableSchema> {
    requireTableName(name);
    return await this.#remembered(
      this.#known,
      name,
      (entry) => entry.schema,
      () => {
        const entry = { schema: this.#load(name), until: Date.now() + this.#settings.schemaSeconds * 1000 };
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
        return { classes, until: Date.now() + this.#settings.schemaSeconds * 1000 };
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
    const schema = adapted(await this.#found(name), this.#settings);
    this.#parents.set(name, schema.lineage.slice(1));
    return schema;
  }

  async #found(name: string): Promise<TableSchema> {
    const supplied = suppliedLine(this.#settings.schema, name);
    // Roles of integrations often see nothing of the dictionary [R]: then an administrator says what the fields are, or they are learnt from records.
    const reading = await readDictionary(this.#client, name);
    if (reading?.parentsKnown === true && reading.choicesKnown) return supplied === undefined ? reading.schema : withSupplied(reading.schema, name, supplied);
    if (supplied?.[0]?.complete === true) return reading === undefined ? suppliedTable(name, supplied) : withSupplied(reading.schema, name, supplied);
    const sample = await sampledTable(this.#client, name);
    const known = reading === undefined ? sample : completed(reading, sample);
    return supplied === undefined ? known : withSupplied(known, name, supplied);
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
