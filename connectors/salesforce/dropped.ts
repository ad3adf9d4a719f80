import type { Json, WriteOutcome } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { salesforceId } from "./id.ts";
import type { SoqlRecord } from "./queries.ts";
import type { Reader } from "./read.ts";
import type { SalesforceField } from "./schema.ts";
import type { Item } from "./shipments.ts";
import { list } from "./soql.ts";
import { isoInstant } from "./values.ts";

/** Held in another form than they are given: masked, compressed, or cleaned of markup that is not allowed. */
const incomparable = new Set(["encryptedstring", "base64", "address", "location", "anyType"]);

/**
 * Reads back what was saved and names the fields that do not hold what they were given: a formula, a flow or the rights of the account
 * may change or ignore a value without a word. One call for all; where it cannot be made, nothing is named, as the write itself is done.
 */
export async function nameDropped(reader: Reader, items: readonly Item[], outcomes: WriteOutcome[]): Promise<void> {
  const saved = items.flatMap((item) => {
    const outcome = outcomes[item.place];
    return outcome?.ok ? [{ item, id: outcome.id }] : [];
  });
  const groups = [...Map.groupBy(saved, ({ item }) => item.type)];
  try {
    const asked = await Promise.all(
      groups.map(async ([type, group]) => {
        const { byName } = await reader.schemas.object(type);
        const fields = [...new Set(group.flatMap(({ item }) => Object.keys(item.record)))]
          .flatMap((name) => byName.get(name) ?? [])
          .filter((field) => isComparable(field) && field.name !== reader.config.markerField);
        return { type, fields, ids: [...new Set(group.map(({ id }) => id))] };
      }),
    );
    const statements = asked.flatMap(({ type, fields, ids }) =>
      fields.length === 0
        ? []
        : inParts(ids).map((part) => ({ soql: `SELECT ${["Id", ...fields.map(({ name }) => name)].join(", ")} FROM ${type} WHERE Id IN ${list(part)}` })),
    );
    if (statements.length === 0) return;
    const rows = new Map((await reader.client.queries(statements, "read back what was written")).flat().map((row) => [row.Id, row]));
    const fieldsOf = new Map(asked.map(({ type, fields }) => [type, fields]));
    // Of several writes to one record only the last one's values can still be there.
    const last = new Map(saved.map(({ item, id }) => [id, item]));
    for (const [id, item] of last) {
      const row = rows.get(id);
      const dropped =
        row === undefined ? [] : (fieldsOf.get(item.type) ?? []).flatMap((field) => (isKept(field, item.record[field.name], row) ? [] : [field.name]));
      if (dropped.length > 0) outcomes[item.place] = { ok: true, id, dropped };
    }
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
  }
}

function isComparable({ name, type }: SalesforceField): boolean {
  return name !== "Id" && !incomparable.has(type);
}

function isKept(field: SalesforceField, given: Json | undefined, row: SoqlRecord): boolean {
  if (given === undefined) return true;
  const held = row[field.name] ?? (field.type === "boolean" ? false : null);
  const wanted = given === "" || (typeof given === "string" && given.trim() === "") ? null : given;
  if (wanted === null || held === null) return wanted === held || (field.type === "boolean" && wanted === null);
  // Markup is cleaned on saving; that something is there is all that can be told.
  if (field.htmlFormatted) return true;
  switch (field.type) {
    case "reference":
    case "id":
      return salesforceId(String(held)) === salesforceId(String(wanted));
    case "datetime":
      return isoInstant(String(held)).slice(0, 19) === new Date(String(wanted)).toISOString().slice(0, 19);
    case "multipicklist":
      return choices(held) === choices(wanted);
    case "int":
    case "double":
    case "currency":
    case "percent":
      return Number(held) === Number(wanted);
    case "email":
      return String(held).toLowerCase() === String(wanted).trim().toLowerCase();
    default:
      return typeof wanted === "string" ? plain(String(held)) === plain(wanted) : held === wanted;
  }
}

/** Blanks around a text are not kept [K], and line ends may be either kind. */
function plain(text: string): string {
  return text.replaceAll("\r\n", "\n").trim();
}

function choices(value: unknown): string {
  return String(value).split(";").toSorted().join(";");
}

function inParts(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / 200) }, (_, i) => ids.slice(i * 200, i * 200 + 200));
}
