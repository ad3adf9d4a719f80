import { z } from "zod";
import type { Tables } from "../../simulation/tables.ts";
import type { Row } from "./store.ts";

/** What a person or an integration may do here. Rights not named are granted. */
export const accessSchema = z.strictObject({
  /** Rows that this account cannot see, by table and encoded query. */
  hiddenRows: z.record(z.string(), z.string()).default({}),
  /** Columns that are stripped from this account's answers. */
  hiddenFields: z.record(z.string(), z.array(z.string())).default({}),
  /** Columns whose writes are dropped without a word. */
  readOnlyFields: z.record(z.string(), z.array(z.string())).default({}),
  /** Rows that it may see but not write to: 403, by table and encoded query. */
  readOnlyRows: z.record(z.string(), z.string()).default({}),
  /** Tables that it may not write to: 403. */
  readOnlyTables: z.array(z.string()).default([]),
  /** Single rights that it lacks on a table: 403. */
  deniedRights: z.record(z.string(), z.array(z.enum(["create", "write", "delete"]))).default({}),
  /** Tables that it may not read at all: 403. */
  deniedTables: z.array(z.string()).default([]),
  /**
   * As roles of integrations usually are: sys_dictionary without rows, sys_db_object refused, sys_choice with labels only [R].
   * When absent, the roles decide: `admin` and `personalize_dictionary` see it all.
   */
  dictionaryHidden: z.boolean().optional(),
  /** May not call the batch API. */
  batchDenied: z.boolean().default(false),
});
export type Access = z.infer<typeof accessSchema>;
export type AccessInput = z.input<typeof accessSchema>;

export const accountSchema = z.strictObject({
  userName: z.string(),
  password: z.string(),
  firstName: z.string(),
  lastName: z.string(),
  email: z.string(),
  /** `admin` may do everything; `snc_basic_auth_api_access` counts once basic authentication is restricted. */
  roles: z.array(z.string()).default(["itil"]),
  /** Of the display values; the database is UTC. */
  timeZone: z.string().default("America/Los_Angeles"),
  /** How display values write dates and times: patterns of `yyyy MM dd`, `HH hh mm ss a`. */
  dateFormat: z.string().default("yyyy-MM-dd"),
  timeFormat: z.string().default("HH:mm:ss"),
  /** Has to give a second factor, which basic authentication and the password grant cannot. */
  multiFactor: z.boolean().default(false),
  access: accessSchema.prefault({}),
});
export type AccountInput = z.input<typeof accountSchema>;

export interface Account extends z.infer<typeof accountSchema> {
  /** sys_id of its sys_user row. */
  readonly userId: string;
}

/** Those who may sign in. Kept beside the records, where no API shows them. */
export class Accounts {
  readonly #tables: Tables<Row>;
  readonly #cache = new Map<string, Account>();

  constructor(tables: Tables<Row>) {
    this.#tables = tables;
    for (const row of tables.rows("__account")) {
      const account = JSON.parse(row.json ?? "{}") as Account;
      this.#cache.set(account.userName, account);
    }
  }

  get(userName: string): Account | undefined {
    return this.#cache.get(userName);
  }

  put(account: Account): void {
    this.#cache.set(account.userName, account);
    this.#tables.put("__account", account.userName, { json: JSON.stringify(account) });
  }
}

export function isAdmin(account: Account): boolean {
  return account.roles.includes("admin");
}
