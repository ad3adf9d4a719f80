import type { FieldDefinition } from "./definitions.ts";
import type { Row } from "./org.ts";
import type { OrgObject } from "./schema.ts";

/** What identifies a record in an answer. */
export function attributesOf(type: string, id: string, version: string): { type: string; url: string } {
  return { type, url: `/services/data/v${version}/sobjects/${type}/${id}` };
}

/** A value as the API shows it: bytes as the address they are read from, addresses put together from their parts. */
export function shownValue(object: OrgObject, field: FieldDefinition, row: Row, version: string): unknown {
  if (field.type === "base64") return `/services/data/v${version}/sobjects/${object.name}/${row.Id}/${field.name}`;
  if (field.type !== "address") return row[field.name] ?? null;
  const prefix = field.name.replace(/Address$/, "");
  const parts = { city: row[`${prefix}City`], country: row[`${prefix}Country`], postalCode: row[`${prefix}PostalCode`], street: row[`${prefix}Street`] };
  return Object.values(parts).every((part) => part === null || part === undefined)
    ? null
    : { ...parts, geocodeAccuracy: null, latitude: null, longitude: null, state: null };
}

/** A whole record: unset fields are there as null [R]. */
export function shownRecord(object: OrgObject, row: Row, fields: readonly FieldDefinition[], version: string): Record<string, unknown> {
  return {
    attributes: attributesOf(object.name, row.Id, version),
    ...Object.fromEntries(fields.map((field) => [field.name, shownValue(object, field, row, version)])),
  };
}
