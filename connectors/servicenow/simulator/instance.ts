import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { z } from "zod";
import type { ByteStore } from "../../simulation/byte-store.ts";
import type { Clock } from "../../simulation/clock.ts";
import type { Faults } from "../../simulation/faults.ts";
import { generatedBytes } from "../../simulation/generated-bytes.ts";
import type { Tables } from "../../simulation/tables.ts";
import { type Access, type Account, type AccountInput, Accounts, accessSchema, accountSchema } from "./accounts.ts";
import { Hints } from "./hints.ts";
import { Limits } from "./limits.ts";
import type { QueryContext } from "./query.ts";
import type { BusinessRule, DataPolicy } from "./rules.ts";
import type { Schema, TableDefinition } from "./schema.ts";
import { type Settings, settingsSchema } from "./settings.ts";
import { stampOf } from "./stamps.ts";
import { type Row, Store } from "./store.ts";

export interface OAuthClient {
  readonly clientId: string;
  readonly clientSecret: string;
  /** The OAuth application user of the client-credentials grant. */
  readonly userName?: string;
  /** PEM of the key that signs JWT assertions. */
  readonly publicKey?: string;
}

/** A staging table with its transform map. */
export const importMapSchema = z.strictObject({
  staging: z.string(),
  target: z.string(),
  /** The column of the target that says which record is meant. */
  coalesce: z.string(),
  /** Target column by staging column; a column not named goes to that of its own name. */
  fields: z.record(z.string(), z.string()).default({}),
});
export type ImportMapInput = z.input<typeof importMapSchema>;
export type ImportMap = z.infer<typeof importMapSchema>;

/** The simulated instance: everything that its HTTP handlers share. */
export class Instance {
  readonly tables: Tables<Row>;
  readonly schema: Schema;
  readonly store: Store;
  readonly clock: Clock;
  readonly accounts: Accounts;
  readonly oauthClients: OAuthClient[];
  readonly policies: DataPolicy[];
  readonly businessRules: BusinessRule[] = [];
  readonly importMaps: ImportMap[];
  readonly hints: Hints = new Hints(this);
  readonly settings: Settings = settingsSchema.parse({});
  readonly limits: Limits;
  /** Access by name, to be given to accounts. */
  readonly profiles = new Map<string, Access>([
    ["full", accessSchema.parse({ dictionaryHidden: false })],
    ["least", accessSchema.parse({ dictionaryHidden: true })],
    ["read-only", accessSchema.parse({ readOnlyTables: ["task", "core_company", "cmdb", "sys_user"] })],
  ]);
  /** Requests inside a batch: the limits have counted the batch. */
  readonly batched = new WeakSet<Request>();
  /** Armed faults also hit items inside a batch; known once the server runs. */
  faults: Faults | undefined;
  readonly bytes: ByteStore;
  readonly #numbers = new Map<string, number>();

  constructor(parts: {
    readonly tables: Tables<Row>;
    readonly bytes: ByteStore;
    readonly schema: Schema;
    readonly clock: Clock;
    readonly oauthClients: readonly OAuthClient[];
    readonly policies: readonly DataPolicy[];
    readonly importMaps: readonly ImportMap[];
  }) {
    this.tables = parts.tables;
    this.bytes = parts.bytes;
    this.schema = parts.schema;
    this.clock = parts.clock;
    this.limits = new Limits(parts.clock);
    for (const row of parts.tables.rows("__table")) this.schema.define(JSON.parse(row.json ?? "{}") as TableDefinition);
    this.store = new Store(parts.tables, parts.schema, parts.clock);
    this.accounts = new Accounts(parts.tables);
    this.oauthClients = [...parts.oauthClients];
    this.policies = [...parts.policies];
    this.importMaps = [...parts.importMaps];
  }

  stamp(): string {
    return stampOf(this.clock.now());
  }

  queryContext(account: { readonly userId: string; readonly userName: string }): QueryContext {
    return {
      store: this.store,
      now: this.clock.now(),
      userId: account.userId,
      userName: account.userName,
      invalidMatchesNothing: this.settings.invalidQueryMatchesNothing,
    };
  }

  /** The content of an attachment; that of a planted one is made while it is read. */
  fileOf(id: string): { readonly size: number; readonly open: () => Readable } {
    const size = Number(this.tables.get("__generated", id)?.bytes ?? Number.NaN);
    return Number.isNaN(size) ? this.bytes.read(id) : { size, open: () => Readable.from(generatedBytes(size)) };
  }

  /** Adds a table or columns for good. */
  define(definition: TableDefinition): void {
    this.schema.define(definition);
    this.tables.put("__table", randomUUID(), { json: JSON.stringify(definition) });
  }

  /** Makes a person known: the sys_user row and the right to sign in. */
  addAccount(input: AccountInput): Account {
    const parsed = accountSchema.parse(input);
    const known = this.accounts.get(parsed.userName);
    const userId = known?.userId ?? newSysId();
    const account: Account = { ...parsed, userId };
    this.accounts.put(account);
    if (known === undefined) {
      const stamp = this.stamp();
      this.store.put("sys_user", {
        sys_id: userId,
        sys_created_on: stamp,
        sys_created_by: "system",
        sys_updated_on: stamp,
        sys_updated_by: "system",
        sys_mod_count: "0",
        sys_tags: "",
        sys_class_name: "sys_user",
        user_name: parsed.userName,
        name: `${parsed.firstName} ${parsed.lastName}`,
        first_name: parsed.firstName,
        last_name: parsed.lastName,
        email: parsed.email,
        active: "true",
        locked_out: "false",
        time_zone: parsed.timeZone,
        date_format: parsed.dateFormat,
        time_format: parsed.timeFormat,
        phone: "",
        user_password: "",
        title: "",
        roles: parsed.roles.join(","),
        company: "",
      });
    } else {
      const row = this.store.find("sys_user", userId)?.row;
      if (row !== undefined) this.store.put("sys_user", { ...row, roles: parsed.roles.join(",") });
    }
    return account;
  }

  /** The next automatic number: `INC0010001` upward; undefined for tables without numbering. */
  nextNumber(table: string): string | undefined {
    const numbers = this.schema.table(table)?.numbers;
    if (numbers === undefined) return undefined;
    const next = this.#numbers.get(table) ?? this.#firstFreeNumber(table, numbers);
    this.#numbers.set(table, next + 1);
    return numbers.prefix + String(next).padStart(7, "0");
  }

  #firstFreeNumber(table: string, numbers: { readonly prefix: string; readonly first: number }): number {
    let next = numbers.first;
    for (const row of this.tables.rows(table)) {
      if (row.number?.startsWith(numbers.prefix) === true) next = Math.max(next, Number(row.number.slice(numbers.prefix.length)) + 1 || 0);
    }
    return next;
  }
}

export function newSysId(): string {
  return randomUUID().replaceAll("-", "");
}
