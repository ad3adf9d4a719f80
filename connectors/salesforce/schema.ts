import { z } from "zod";
import type { EntitySchema, FieldSchema, FieldType } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { isMissingObject } from "./absence.ts";
import { assertVersion } from "./api-version.ts";
import type { SalesforceClient } from "./client.ts";

const field = z.object({
  name: z.string(),
  label: z.string().default(""),
  type: z.string(),
  length: z.number().default(0),
  scale: z.number().default(0),
  nillable: z.boolean(),
  createable: z.boolean(),
  updateable: z.boolean(),
  defaultedOnCreate: z.boolean().default(false),
  calculated: z.boolean().default(false),
  autoNumber: z.boolean().default(false),
  custom: z.boolean().default(false),
  nameField: z.boolean().default(false),
  externalId: z.boolean().default(false),
  filterable: z.boolean().default(true),
  htmlFormatted: z.boolean().default(false),
  deprecatedAndHidden: z.boolean().default(false),
  restrictedPicklist: z.boolean().default(false),
  inlineHelpText: z.string().nullish(),
  relationshipName: z.string().nullish(),
  referenceTo: z.array(z.string()).nullish(),
  picklistValues: z
    .array(z.object({ active: z.boolean().default(true), label: z.string().nullish(), value: z.string() }))
    .nullish()
    .transform((values) => (values ?? []).map(({ value, label, active }) => ({ value, label: label ?? value, active }))),
});
export type SalesforceField = z.infer<typeof field>;

const description = z.object({
  name: z.string(),
  label: z.string().default(""),
  keyPrefix: z.string().nullish(),
  feedEnabled: z.boolean().default(false),
  createable: z.boolean().default(true),
  updateable: z.boolean().default(true),
  deletable: z.boolean().default(true),
  /** Whether the platform lists what was deleted of it. */
  replicateable: z.boolean().default(true),
  fields: z.array(field),
  childRelationships: z.array(z.object({ childSObject: z.string(), field: z.string(), relationshipName: z.string().nullish() })).default([]),
});

/** An object as describe tells of it, with what the connector asks of it most. */
export interface SalesforceObject extends z.infer<typeof description> {
  readonly byName: ReadonlyMap<string, SalesforceField>;
  /** The field that people call a record by. */
  readonly nameField: string;
}

/** How long a description is believed. */
const freshMs = 300_000;
/** How long what was refused is not asked for again. */
const refusedMs = 3_600_000;
/** What a record is no poorer without than by a name or an address: administrators hide the personal data of users [K]. */
const dispensable = new Set(["Name", "Type", "Email", "Username", "PathOnClient", "Checksum", "ContentType", "LastModifiedDate", "LastEditDate"]);
/** Standard objects whose name is not called `Name` [K]; others are asked when a query fails. */
const knownNames: Readonly<Record<string, string>> = {
  Case: "CaseNumber",
  Contract: "ContractNumber",
  Solution: "SolutionName",
  Task: "Subject",
  Event: "Subject",
  ContentDocument: "Title",
  ContentVersion: "Title",
  WorkOrder: "WorkOrderNumber",
  WorkOrderLineItem: "LineItemNumber",
  EmailMessage: "Subject",
};

/** The descriptions of an org's objects, kept for a few minutes. */
export class Schemas {
  readonly #client: SalesforceClient;
  readonly #now: () => number;
  readonly #objects = new Map<string, { readonly at: number; readonly object: Promise<SalesforceObject> }>();
  readonly #names = new Map<string, string>(Object.entries(knownNames));
  readonly #refused = new Map<string, number>();

  constructor(client: SalesforceClient, now: () => number) {
    this.#client = client;
    this.#now = now;
  }

  /** Throws BAD_REQUEST for a type that the org does not have, or does not show to this account. */
  async object(type: string): Promise<SalesforceObject> {
    const held = this.#objects.get(type);
    if (held !== undefined && this.#now() - held.at < freshMs) return await held.object;
    const object = this.#describe(type);
    this.#objects.set(type, { at: this.#now(), object });
    object.catch(() => this.#objects.delete(type));
    return await object;
  }

  /** An object that may be missing here, or not be for this account. */
  async optional(type: string): Promise<SalesforceObject | undefined> {
    return await this.#client.absences.orElse(
      `describe ${type}`,
      isMissingObject,
      async (): Promise<SalesforceObject | undefined> => await this.object(type),
      async () => undefined,
    );
  }

  /** Forgets an object whose description turned out to be old. */
  forget(type: string): void {
    this.#objects.delete(type);
  }

  /** The field that shows a record of this type, as far as is known. */
  nameOf(type: string): string {
    return this.#names.get(type) ?? "Name";
  }

  /** Leaves out of the columns of an object, as of parents behind a dot, what was refused before. */
  allowed(type: string, columns: readonly string[]): readonly string[] {
    return columns.filter((column) => {
      const path = column.split(".");
      const last = path.at(-1) ?? "";
      if (path.length === 1) return !this.#isRefused(`${type}.${last}`);
      return !this.#isRefused(`*.${last}`) && !path.slice(0, -1).some((relationship) => this.#isRefused(`${relationship}.*`));
    });
  }

  /** Takes note that an object, read as a child or a parent, does not show a column; false where nothing goes without it. */
  refuseColumn(type: string, column: string): boolean {
    if (!dispensable.has(column)) return false;
    for (const name of [type, "*"]) this.#refused.set(`${name}.${column}`, this.#now());
    return true;
  }

  /** The same of a relationship to a parent; the document of a file is what it is known by. */
  refuseRelationship(name: string): boolean {
    if (name === "ContentDocument") return false;
    this.#refused.set(`${name}.*`, this.#now());
    return true;
  }

  #isRefused(name: string): boolean {
    return this.#now() - (this.#refused.get(name) ?? Number.NEGATIVE_INFINITY) < refusedMs;
  }

  /** Learns the name field of a type that turned out to have none called `Name`. */
  async learnName(type: string): Promise<void> {
    this.#names.set(type, (await this.optional(type))?.nameField ?? "Id");
  }

  async #describe(type: string): Promise<SalesforceObject> {
    if (!/^[A-Za-z]\w*$/.test(type)) throw unknownType(type);
    let answer: unknown;
    try {
      answer = await this.#client.data({ method: "GET", path: `/sobjects/${type}/describe`, what: `describe ${type}`, write: false, repeatable: true });
    } catch (error) {
      if (!(error instanceof ConnectorError) || error.code !== "NOT_FOUND_OR_HIDDEN") throw error;
      // An unknown version is answered like an unknown object.
      await assertVersion(this.#client);
      throw unknownType(type);
    }
    const parsed = description.safeParse(answer);
    if (!parsed.success) throw new ConnectorError("PROTOCOL", { message: `Salesforce described ${type} in a form that it does not have.` });
    const byName = new Map(parsed.data.fields.filter(({ deprecatedAndHidden }) => !deprecatedAndHidden).map((entry) => [entry.name, entry]));
    return { ...parsed.data, byName, nameField: parsed.data.fields.find(({ nameField }) => nameField)?.name ?? "Id" };
  }
}

/** The object in the words of every platform. */
export function entitySchema(
  object: SalesforceObject,
  rooms: { readonly comments: boolean; readonly internalComments: boolean; readonly attachments: boolean },
): EntitySchema {
  const fields = [...object.byName.values()].filter(isShown).map(fieldSchema);
  const statusField = object.byName.get("Status")?.type === "picklist" ? "Status" : undefined;
  return { entityType: object.name, label: object.label || object.name, fields, ...(statusField !== undefined && { statusField }), sampled: false, ...rooms };
}

/** Bytes and compounds are not fields of a replica: the parts of an address are there on their own. */
export function isShown({ type }: SalesforceField): boolean {
  return type !== "base64" && type !== "address" && type !== "location";
}

function fieldSchema(field: SalesforceField): FieldSchema {
  const choices = field.picklistValues.filter(({ active }) => active).map(({ value, label }) => ({ value, label }));
  const isChoice = field.type === "picklist" || field.type === "multipicklist" || field.type === "combobox";
  return {
    name: field.name,
    label: field.label || field.name,
    type: fieldType(field),
    custom: field.custom,
    nullable: field.nillable,
    readOnly: !field.createable && !field.updateable,
    requiredOnCreate: !field.nillable && !field.defaultedOnCreate && field.createable,
    ...(field.inlineHelpText && { help: field.inlineHelpText }),
    ...(field.length > 0 && { maxLength: field.length }),
    ...(isChoice && { choices, closed: field.restrictedPicklist }),
    ...(field.type === "reference" && { references: field.referenceTo ?? [] }),
  };
}

const fieldTypes: Readonly<Record<string, FieldType>> = {
  id: "text",
  string: "text",
  phone: "text",
  email: "text",
  url: "text",
  encryptedstring: "text",
  int: "integer",
  long: "integer",
  double: "decimal",
  currency: "decimal",
  percent: "decimal",
  boolean: "boolean",
  date: "date",
  datetime: "instant",
  picklist: "choice",
  combobox: "choice",
  multipicklist: "choices",
  reference: "reference",
};

function fieldType({ type, calculated, autoNumber, htmlFormatted }: SalesforceField): FieldType {
  if (calculated || autoNumber) return "computed";
  if (type === "textarea") return htmlFormatted ? "richText" : "longText";
  return fieldTypes[type] ?? "other";
}

function unknownType(type: string): ConnectorError {
  return new ConnectorError("BAD_REQUEST", {
    message: `Salesforce has no object “${type}”, or this account may not see it.`,
    platformCode: "INVALID_TYPE",
    advice: "Use the API name; custom objects end in __c.",
  });
}
