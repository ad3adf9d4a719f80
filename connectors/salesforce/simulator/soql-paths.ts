import type { FieldDefinition } from "./definitions.ts";
import type { Org, Row } from "./org.ts";
import type { OrgObject } from "./schema.ts";
import type { Path } from "./soql-parse.ts";
import { queryError } from "./soql-text.ts";
import type { Value } from "./values.ts";

/** A path of a statement, found in the schema. */
export interface ResolvedPath {
  readonly field: FieldDefinition;
  readonly parents: readonly FieldDefinition[];
  /** The field's value in a row, following references; null where one is empty. */
  read(row: Row): Value;
  /** The row that holds the field, with its object. */
  holder(row: Row): { readonly object: OrgObject; readonly row: Row } | undefined;
}

/** What a reference with several targets shows of each: the fields of the `Name` object. */
const nameFields: readonly FieldDefinition[] = ["Name", "Type", "FirstName", "LastName", "Username", "Alias", "Email", "Phone", "Title"].map((name) => ({
  name,
  type: "string",
}));

/** Parents of parents, five up at most [D]. */
const mostParents = 5;

export function resolvePath(org: Org, object: OrgObject, path: Path, statement: string): ResolvedPath {
  const parts = path.parts[0]?.toLowerCase() === object.name.toLowerCase() && path.parts.length > 1 ? path.parts.slice(1) : path.parts;
  const names = parts.slice(0, -1);
  const last = parts.at(-1) ?? "";
  if (names.length > mostParents)
    throw queryError("INVALID_FIELD", statement, path.at, `SOQL statements cannot query more than ${mostParents} levels of parent relationships`);
  const parents: FieldDefinition[] = [];
  let holder: OrgObject | undefined = object;
  for (const name of names) {
    const parent: FieldDefinition | undefined = holder === undefined ? undefined : org.schema.parentField(holder, name);
    if (parent === undefined) {
      const message = `Didn't understand relationship '${name}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.`;
      throw queryError("INVALID_FIELD", statement, path.at, message);
    }
    parents.push(parent);
    holder = parent.referenceTo?.length === 1 ? org.seen(parent.referenceTo[0] ?? "") : undefined;
  }
  const field = holder === undefined ? polymorphicField(last) : holder.fields.get(last.toLowerCase());
  if (field === undefined) {
    const message = `No such column '${last}' on entity '${holder?.name ?? "Name"}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.`;
    throw queryError("INVALID_FIELD", statement, path.at, message);
  }
  const find = (row: Row) => follow(org, object, row, parents);
  return {
    field,
    parents,
    holder: find,
    read: (row) => {
      const found = find(row);
      if (found === undefined) return null;
      return holder === undefined ? nameValue(found.object, found.row, field.name) : (found.row[field.name] ?? null);
    },
  };
}

function polymorphicField(name: string): FieldDefinition | undefined {
  if (name.toLowerCase() === "id") return { name: "Id", type: "id" };
  return nameFields.find((field) => field.name.toLowerCase() === name.toLowerCase());
}

function follow(org: Org, object: OrgObject, row: Row, parents: readonly FieldDefinition[]): { object: OrgObject; row: Row } | undefined {
  let found = { object, row };
  for (const parent of parents) {
    const id = found.row[parent.name];
    const type = typeof id === "string" ? org.schema.typeOfId(id) : undefined;
    const next = type === undefined || typeof id !== "string" ? undefined : org.tables.get(type, id);
    if (type === undefined || next === undefined) return undefined;
    found = { object: org.object(type), row: next };
  }
  return found;
}

function nameValue(object: OrgObject, row: Row, name: string): Value {
  if (name === "Type") return object.name;
  if (name !== "Name") return row[name] ?? null;
  const field = [...object.fields.values()].find(({ nameField }) => nameField);
  return field === undefined ? null : (row[field.name] ?? null);
}
