import type { EntityRef, Json, WriteOperation } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { sendAlone, sendBatch } from "./batch.ts";
import { answersOf, hasCatalogVariables, variableColumns, variableRecord, variablesField, variableTable } from "./catalog-variables.ts";
import type { ServiceNowClient } from "./client.ts";
import { isRefused } from "./errors.ts";
import { isSysId } from "./ids.ts";

export type FieldsWrite = Extract<WriteOperation, { kind: "create" | "update" }>;

export function carriesVariables(operation: WriteOperation): operation is FieldsWrite {
  return (
    (operation.kind === "update" && hasCatalogVariables(operation.ref.type) && variablesField in operation.fields) ||
    (operation.kind === "create" && hasCatalogVariables(operation.entityType) && variablesField in operation.fields)
  );
}

/**
 * Changes the answers of a requested item, those that differ, and gives back the names of those that the platform did not keep
 * (`variables.size`). Answers that the item does not have are VALIDATION: the platform makes them when an item is ordered.
 */
export async function writeVariables(client: ServiceNowClient, operation: FieldsWrite): Promise<string[]> {
  if (operation.kind === "create")
    throw new ConnectorError("VALIDATION", {
      message: `Catalog variables of ${operation.entityType} cannot be set while it is created: the platform makes them from the form when an item is ordered.`,
      advice: "Leave `variables` out of the rule on the first sync.",
      fields: [variablesField],
    });
  const { ref } = operation;
  const wanted = wantedValues(operation.fields[variablesField] ?? null);
  const before = await answers(client, ref);
  const unknown = Object.keys(wanted).filter((name) => !before.has(name));
  if (unknown.length > 0)
    throw new ConnectorError("VALIDATION", {
      message: `${ref.type} ${ref.id} has no catalog variable ${unknown.join(", ")}; it has ${[...before.keys()].join(", ") || "none"}.`,
      fields: unknown.map(fieldName),
    });
  const changed = [...before].filter(([name, { value }]) => name in wanted && wanted[name] !== value);
  if (changed.length === 0) return [];
  const calls = changed.map(([name, { option }]) => ({
    method: "PATCH" as const,
    path: `/api/now/table/sc_item_option/${option}?sysparm_fields=sys_id,value`,
    body: { value: wanted[name] ?? "" },
  }));
  const [single] = calls;
  const outcomes =
    single !== undefined && calls.length === 1
      ? [{ kind: "answered" as const, answer: await sendAlone(client, single, true) }]
      : await sendBatch(client, calls, true);
  for (const [index, [name]] of changed.entries()) {
    const outcome = outcomes[index];
    if (outcome?.kind !== "answered")
      throw client.error("TRANSIENT", { message: `ServiceNow did not get to the catalog variable ${name} of ${ref.type} ${ref.id}.` });
    if (isRefused(outcome.answer)) throw client.refusal(outcome.answer, { what: `set the catalog variable ${name} of ${ref.type} ${ref.id}`, write: true });
  }
  const after = await answers(client, ref);
  return changed.filter(([name]) => after.get(name)?.value !== wanted[name]).map(([name]) => fieldName(name));
}

async function answers(client: ServiceNowClient, ref: EntityRef): Promise<ReturnType<typeof answersOf>> {
  if (!isSysId(ref.id)) throw client.error("NOT_FOUND_OR_HIDDEN", { message: `“${ref.id}” is not a sys_id.` });
  const query = `${variableRecord}=${ref.id}^ORDERBYsys_created_on^ORDERBYsys_id`;
  return answersOf(await client.listAll({ table: variableTable, query, fields: variableColumns }));
}

function wantedValues(value: Json): Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ConnectorError("VALIDATION", { message: "`variables` takes an object of values by the variables' names.", fields: [variablesField] });
  return Object.fromEntries(
    Object.entries(value).map(([name, item]: [string, Json]) => {
      if (typeof item === "object" && item !== null)
        throw new ConnectorError("VALIDATION", { message: `The catalog variable ${name} takes text, a number or true and false.`, fields: [fieldName(name)] });
      return [name, item === null ? "" : String(item)];
    }),
  );
}

function fieldName(name: string): string {
  return `${variablesField}.${name}`;
}
