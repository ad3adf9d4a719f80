import type { Person } from "../connector.ts";
import type { ServiceNowClient } from "./client.ts";
import { inChunks } from "./ids.ts";
import { term } from "./query.ts";
import { type RawRow, textOf } from "./values.ts";

const fields = ["sys_id", "user_name", "name", "email"];
const keepMs = 600_000;

/** Users of the instance. `sys_created_by` holds user names, so authors are looked up by those, many at once. */
export class People {
  readonly #client: ServiceNowClient;
  readonly #byUserName = new Map<string, { readonly person: Person; readonly until: number }>();
  #self: Promise<Person> | undefined;

  constructor(client: ServiceNowClient) {
    this.#client = client;
  }

  /** The account that we use. */
  async self(): Promise<Person> {
    this.#self ??= this.#readSelf().catch((error: unknown) => {
      this.#self = undefined;
      throw error;
    });
    return await this.#self;
  }

  /** People by user name. Who is no user any more, or hidden, is known by the user name alone. */
  async named(userNames: Iterable<string>): Promise<(userName: string) => Person | null> {
    const now = Date.now();
    const missing = [...new Set(userNames)].filter((name) => name !== "" && (this.#byUserName.get(name)?.until ?? 0) <= now);
    const askable = missing.filter((name) => !/[,^]/.test(name));
    for (const chunk of inChunks(askable)) {
      const rows = await this.#client.listAll({ table: "sys_user", query: `user_nameIN${chunk.join(",")}^ORDERBYsys_id`, fields });
      for (const row of rows) this.#remember(textOf(row, "user_name"), personOf(row), now);
    }
    for (const name of missing) if ((this.#byUserName.get(name)?.until ?? 0) <= now) this.#remember(name, { id: name, username: name }, now);
    return (userName) => this.#byUserName.get(userName)?.person ?? null;
  }

  /** One user, active ones first. */
  async find(by: { readonly email: string } | { readonly username: string }): Promise<Person | undefined> {
    const condition = "email" in by ? term("email", "=", by.email) : term("user_name", "=", by.username);
    const { rows } = await this.#client.list({
      table: "sys_user",
      query: `${condition}^ORDERBYDESCactive^ORDERBYsys_created_on^ORDERBYsys_id`,
      fields,
      limit: 1,
    });
    const [row] = rows;
    return row === undefined ? undefined : personOf(row);
  }

  #remember(userName: string, person: Person, now: number): void {
    if (this.#byUserName.size > 20_000) this.#byUserName.clear();
    this.#byUserName.set(userName, { person, until: now + keepMs });
  }

  /** The instance fills in who asks, so this works for every way of signing in. */
  async #readSelf(): Promise<Person> {
    const { rows } = await this.#client.list({ table: "sys_user", query: "sys_id=javascript:gs.getUserID()", fields, limit: 1 }, "read the integration user");
    const [row] = rows;
    if (row === undefined) {
      throw this.#client.error("PERMISSION", {
        message: "ServiceNow lets the integration account in, but not see its own user record.",
        advice: "Give the account read access to sys_user: comments are recognised by their author.",
      });
    }
    return personOf(row);
  }
}

function personOf(row: RawRow): Person {
  const displayName = textOf(row, "name");
  const email = textOf(row, "email");
  const username = textOf(row, "user_name");
  return {
    id: textOf(row, "sys_id"),
    ...(displayName === "" ? {} : { displayName }),
    ...(email === "" ? {} : { email }),
    ...(username === "" ? {} : { username }),
  };
}
