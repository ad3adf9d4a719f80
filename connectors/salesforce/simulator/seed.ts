import { computeFormulas } from "./automation.ts";
import { beforeSave } from "./behaviour.ts";
import { inputValues } from "./checks.ts";
import type { Input, Org } from "./org.ts";

/** Saves of these bring about rows elsewhere, so that they cannot be copied. */
const connected = new Set(["ContentVersion", "ContentDocumentLink", "FeedComment", "Attachment"]);

/**
 * Makes many rows at once, all stamped with the same second and told of to nobody: a storm of ties, or an org with a history. Texts of
 * `fields` may say `{n}` for the row's number, from 1. The first row is checked like any other, the rest are made in its image. Their ids.
 */
export function seedRows(org: Org, objectName: string, count: number, fields: Input, by?: string): string[] {
  const object = org.object(objectName);
  const caller = by ?? [...org.rows("User")][0]?.Id ?? "";
  const ids: string[] = [];
  const input = (n: number): Input =>
    Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, typeof value === "string" ? value.replaceAll("{n}", String(n)) : value]));
  org.transactions.silently(() => {
    const first = org.create(object.name, input(1), caller);
    ids.push(first.Id);
    for (let n = 2; n <= count; n++) {
      if (connected.has(object.name)) {
        ids.push(org.create(object.name, input(n), caller).Id);
        continue;
      }
      const row = { ...first, ...inputValues(org.bytes, object, input(n), "createable").fields, Id: org.nextId(object.name) };
      beforeSave(org, object, row, undefined, { caller, bytes: new Map() });
      computeFormulas(object, row);
      org.put(object.name, row);
      ids.push(row.Id);
    }
  });
  return ids;
}
