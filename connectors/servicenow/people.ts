import type { Person } from "../connector.ts";
import type { ServiceNowClient } from "./client.ts";
import type { ServiceNowSettings } from "./config.ts";
import { inChunks } from "./ids.ts";
import { term } from "./query.ts";
import { type RawRow, textOf } from "./values.ts";

const fields = ["sys_id", "user_name", "name", "email"];
const keepMs = 600_000;

/** Users of the instance. `sys_created_by` holds user names, so authors are looked up by those, many at once. */
export class People {
  readonly #client: ServiceNowClient;
  /** The name that we sign in with, where there is one. */
  readonly #userName: string | undefined;
  readonly #byUserName = new Map<string, { readonly person: Person; readonly until: number }>();
  readonly #ids = new Map<string, { readonly id: Promise<string | undefined>; readonly until: number }>();
  #self: Promise<Person> | undefined;
  /** A user known by the name alone is looked for again after a while. */
  #selfUntil = Number.POSITIVE_INFINITY;

  constructor(client: ServiceNowClient, auth: ServiceNowSettings["auth"]) {
    this.#client = client;
    this.#userName = "username" in auth ? auth.username : undefined;
  }

  /** The account that we use. */
  async self(): Promise<Person> {
    if (this.#selfUntil <= Date.now()) this.#self = undefined;
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
      const request = { table: "sys_user", query: `user_nameIN${chunk.join(",")}^ORDERBYsys_id`, fields };
      const rows = await this.#client.absences.unlessOutOfReach("sys_user", () => this.#client.listAll(request));
      for (const row of rows ?? []) this.#remember(textOf(row, "user_name"), personOf(row), now);
    }
    for (const name of missing) if ((this.#byUserName.get(name)?.until ?? 0) <= now) this.#remember(name, { id: name, username: name }, now);
    return (userName) => this.#byUserName.get(userName)?.person ?? null;
  }

  /** One user, active ones first; none where sys_user is out of reach. */
  async find(by: { readonly email: string } | { readonly username: string }): Promise<Person | undefined> {
    const condition = "email" in by ? term("email", "=", by.email) : term("user_name", "=", by.username);
    const row = await this.#first(`${condition}^ORDERBYDESCactive^ORDERBYsys_created_on^ORDERBYsys_id`);
    return row === undefined ? undefined : personOf(row);
  }

  /** The sys_id of the one who has this e-mail or user name; texts that can be neither are nobody's. */
  async idOf(text: string): Promise<string | undefined> {
    const wanted = text.trim();
    if (!/^[^\s,^]+$/.test(wanted)) return undefined;
    let entry = this.#ids.get(wanted);
    if (entry === undefined || entry.until <= Date.now()) {
      if (this.#ids.size > 20_000) this.#ids.clear();
      const id = this.find(wanted.includes("@") ? { email: wanted } : { username: wanted }).then((person) => person?.id);
      entry = { id, until: Date.now() + keepMs };
      this.#ids.set(wanted, entry);
      // Neither a failure nor "nobody" is kept: the user may be made in a moment.
      id.then(
        (found) => found ?? this.#ids.delete(wanted),
        () => this.#ids.delete(wanted),
      );
    }
    return await entry.id;
  }

  #remember(userName: string, person: Person, now: number): void {
    if (this.#byUserName.size > 20_000) this.#byUserName.clear();
    this.#byUserName.set(userName, { person, until: now + keepMs });
  }

  /**
   * The instance fills in who asks, so this works for every way of signing in. A system that cannot gives nobody or
   * just anybody: then the name that we sign in with decides, and where no user is to be seen, it is all we know.
   */
  async #readSelf(): Promise<Person> {
    this.#selfUntil = Number.POSITIVE_INFINITY;
    const name = this.#userName;
    const row = await this.#first("sys_id=javascript:gs.getUserID()", "read the integration user");
    const itself = row !== undefined && (name === undefined || isNamed(row, name));
    if (itself && textOf(row, "user_name") !== "") return personOf(row);
    if (name === undefined || itself) {
      throw this.#client.error("PERMISSION", {
        message: `ServiceNow lets the integration account in, but not see ${itself ? "the user_name of its own user record" : "its own user record"}.`,
        advice: "Give the account read access to sys_user and its user_name: comments are recognised by their author, and would be made twice without it.",
      });
    }
    const found = /[,^]/.test(name) ? undefined : await this.#first(`${term("user_name", "=", name)}^ORDERBYsys_id`, "read the integration user");
    if (found !== undefined && isNamed(found, name)) return personOf(found);
    this.#selfUntil = Date.now() + keepMs;
    return { id: name, username: name };
  }

  async #first(query: string, what?: string): Promise<RawRow | undefined> {
    const request = { table: "sys_user", query, fields, limit: 1 };
    return (await this.#client.absences.unlessOutOfReach("sys_user", () => this.#client.list(request, what)))?.rows[0];
  }
}

/** User names are the same in any case [K]. */
export function isSameUser(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** A JWT may name its user by e-mail or sys_id: the OAuth application says which. */
function isNamed(row: RawRow, name: string): boolean {
  return ["user_name", "email", "sys_id"].some((column) => isSameUser(textOf(row, column), name));
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
