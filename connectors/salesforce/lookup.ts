import type { Condition, Entity, EntityRef, Person } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { salesforceId } from "./id.ts";
import { type Reader, readFields } from "./read.ts";
import { conditionText, list, quoted } from "./soql.ts";

/** Records that meet all conditions, oldest first, fields only. */
export async function findRecords(reader: Reader, type: string, conditions: readonly Condition[], limit: number): Promise<readonly Entity[]> {
  const object = await reader.schemas.object(type);
  const texts: string[] = [];
  for (const condition of conditions) {
    const field = object.byName.get(condition.field);
    if (field === undefined)
      throw new ConnectorError("BAD_REQUEST", {
        message: `${type} has no field “${condition.field}”, or this account may not see it.`,
        fields: [condition.field],
      });
    const text = conditionText(condition, field);
    if (text === undefined) return [];
    texts.push(text);
  }
  return await readFields(reader, object.name, texts.join(" AND "), limit);
}

/** A record by its id or by what people call it. Throws DUPLICATE where two are called the same. */
export async function findByKey({ client, schemas }: Reader, type: string, key: string): Promise<EntityRef | undefined> {
  const object = await schemas.object(type);
  const id = salesforceId(key);
  const byId = id !== undefined && key.slice(0, 3) === object.keyPrefix;
  if (!byId && object.byName.get(object.nameField)?.filterable !== true) return undefined;
  const rows = await client.query(
    `SELECT Id FROM ${object.name} WHERE ${byId ? `Id = ${quoted(id)}` : `${object.nameField} = ${quoted(key)}`} LIMIT 2`,
    `look up ${type} “${key}”`,
  );
  if (rows.length > 1) throw new ConnectorError("DUPLICATE", { message: `Several records of ${type} are called “${key}”; use the id.` });
  return typeof rows[0]?.Id === "string" ? { type: object.name, id: rows[0].Id } : undefined;
}

/** Those of some ids, as they are given, whose records this account can see. */
export async function visibleIds({ client }: Reader, type: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const wanted = [...new Set(ids.flatMap((id) => salesforceId(id) ?? []))];
  const seen = new Set<unknown>();
  for (let i = 0; i < wanted.length; i += 200)
    for (const { Id } of await client.query(`SELECT Id FROM ${type} WHERE Id IN ${list(wanted.slice(i, i + 200))}`, `look for ${type}`)) seen.add(Id);
  return new Set(ids.filter((id) => seen.has(salesforceId(id))));
}

/** An active user by e-mail or username; of several with the same address the oldest. Nobody is found where this account may not see users, which `check` reports. */
export async function findUser({ client }: Reader, by: { readonly email: string } | { readonly username: string }): Promise<Person | undefined> {
  const condition = "email" in by ? `Email = ${quoted(by.email)}` : `Username = ${quoted(by.username)}`;
  const soql = `SELECT Id, Name, Email, Username FROM User WHERE ${condition} AND IsActive = true ORDER BY CreatedDate, Id LIMIT 1`;
  const [[user] = []] = await client.queries([{ soql, optional: "User" }], "look up a user");
  if (typeof user?.Id !== "string") return undefined;
  const { Id, Name, Email, Username } = user;
  return {
    id: Id,
    ...(typeof Name === "string" && { displayName: Name }),
    ...(typeof Email === "string" && { email: Email }),
    ...(typeof Username === "string" && { username: Username }),
  };
}
