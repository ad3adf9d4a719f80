import { randomUUID } from "node:crypto";
import type { Clock } from "../../simulation/clock.ts";
import type { Faults } from "../../simulation/faults.ts";
import type { Tables } from "../../simulation/tables.ts";
import { type Account, type AccountInput, Accounts, accountSchema } from "./accounts.ts";
import type { QueryContext } from "./query.ts";
import type { Schema, TableDefinition } from "./schema.ts";
import { stampOf } from "./stamps.ts";
import { type Row, Store } from "./store.ts";

/** Fields that must be filled while a record is in some state [R]. */
export interface DataPolicy {
  readonly table: string;
  /** Encoded query: when it applies. */
  readonly when: string;
  readonly mandatory: readonly string[];
}

/** A before-rule that aborts writes [R]. */
export interface BusinessRule {
  readonly table: string;
  readonly name: string;
  /** Encoded query over the record as it would be saved. */
  readonly abortWhen: string;
}

export interface OAuthClient {
  readonly clientId: string;
  readonly clientSecret: string;
  /** The OAuth application user of the client-credentials grant. */
  readonly userName?: string;
  /** PEM of the key that signs JWT assertions. */
  readonly publicKey?: string;
}

/** A staging table with its transform map. */
export interface ImportMap {
  readonly staging: string;
  readonly target: string;
  /** The column that says which record is meant. */
  readonly coalesce: string;
}

/** What can be switched while it runs. */
export interface Settings {
  /** How many items of a batch are serviced; the rest come back unserviced. */
  batchServes: number | null;
  invalidQueryMatchesNothing: boolean;
  basicAuthRestricted: boolean;
  clientCredentialsEnabled: boolean;
  accessTokenSeconds: number;
  attachmentLimitBytes: number;
}

/** The simulated instance: everything that its HTTP handlers share. */
export class Instance {
  readonly tables: Tables<Row>;
  readonly schema: Schema;
  readonly store: Store;
  readonly clock: Clock;
  readonly accounts: Accounts;
  readonly oauthClients: readonly OAuthClient[];
  readonly policies: DataPolicy[];
  readonly businessRules: BusinessRule[] = [];
  readonly importMaps: readonly ImportMap[];
  readonly settings: Settings = {
    batchServes: null,
    invalidQueryMatchesNothing: false,
    basicAuthRestricted: false,
    clientCredentialsEnabled: true,
    accessTokenSeconds: 1800,
    attachmentLimitBytes: 1024 * 1024 * 1024,
  };
  /** Armed faults also hit items inside a batch; known once the server runs. */
  faults: Faults | undefined;
  readonly #numbers = new Map<string, number>();

  constructor(parts: {
    readonly tables: Tables<Row>;
    readonly schema: Schema;
    readonly clock: Clock;
    readonly oauthClients: readonly OAuthClient[];
    readonly policies: readonly DataPolicy[];
    readonly importMaps: readonly ImportMap[];
  }) {
    this.tables = parts.tables;
    this.schema = parts.schema;
    this.clock = parts.clock;
    for (const row of parts.tables.rows("__table")) this.schema.define(JSON.parse(row.json ?? "{}") as TableDefinition);
    this.store = new Store(parts.tables, parts.schema, parts.clock);
    this.accounts = new Accounts(parts.tables);
    this.oauthClients = parts.oauthClients;
    this.policies = [...parts.policies];
    this.importMaps = parts.importMaps;
  }

  stamp(): string {
    return stampOf(this.clock.now());
  }

  queryContext(account: Account): QueryContext {
    return {
      store: this.store,
      now: this.clock.now(),
      userId: account.userId,
      userName: account.userName,
      invalidMatchesNothing: this.settings.invalidQueryMatchesNothing,
    };
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
        user_name: parsed.userName,
        name: `${parsed.firstName} ${parsed.lastName}`,
        first_name: parsed.firstName,
        last_name: parsed.lastName,
        email: parsed.email,
        active: "true",
        time_zone: parsed.timeZone,
        user_password: "",
        title: "",
        company: "",
      });
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
