import type { ArrivedBytes, ByteStore } from "../../simulation/byte-store.ts";
import { ApiError } from "./api-error.ts";
import type { FieldDefinition } from "./definitions.ts";
import type { Input, Org, Row } from "./org.ts";
import { meets, type ValidationRule } from "./rules.ts";
import type { OrgObject } from "./schema.ts";
import { storedValue, type Value } from "./values.ts";

/** The values given for a save, as the org keeps them. Throws for fields that are unknown or may not be written, and values that do not fit. */
export function inputValues(
  store: ByteStore,
  object: OrgObject,
  input: Input,
  access: "createable" | "updateable",
): { fields: Record<string, Value>; bytes: ReadonlyMap<string, ArrivedBytes> } {
  const fields: Record<string, Value> = {};
  const bytes = new Map<string, ArrivedBytes>();
  for (const [name, given] of Object.entries(input)) {
    if (name === "attributes") continue;
    const field = object.fields.get(name.toLowerCase());
    if (field === undefined) throw new ApiError(400, "INVALID_FIELD", `No such column '${name}' on sobject of type ${object.name}`);
    if (field[access] === false || field.calculated) {
      const verb = access === "createable" ? "create" : "update";
      throw new ApiError(
        400,
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        `Unable to ${verb} fields: ${field.name}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.`,
        [field.name],
      );
    }
    if (field.type === "base64") bytes.set(field.name, isArrived(given) ? given : store.whole(Buffer.from(String(given ?? ""), "base64")));
    else fields[field.name] = storedValue(field, given);
  }
  return { fields, bytes };
}

/** Throws what the platform says of a row that may not be stored so. */
export function assertValid(org: Org, object: OrgObject, row: Row, given: readonly string[], bytes: ReadonlyMap<string, unknown>): void {
  const missing = [...object.fields.values()].filter(
    (field) =>
      isRequired(field) &&
      (field.type === "base64"
        ? bytes.size === 0 && !("BodyLength" in row && row.BodyLength !== null)
        : row[field.name] === null || row[field.name] === undefined),
  );
  if (missing.length > 0) {
    const names = missing.map(({ name }) => name);
    throw new ApiError(400, "REQUIRED_FIELD_MISSING", `Required fields are missing: [${names.join(", ")}]`, names);
  }
  for (const name of given) assertFieldValid(org, object, row, object.fields.get(name.toLowerCase()));
  for (const rule of org.rules.validations) {
    if (rule.object === object.name && breaks(rule, row))
      throw new ApiError(400, rule.errorCode ?? "FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message, [rule.field]);
  }
}

function breaks({ field, equals, when, required }: ValidationRule, row: Row): boolean {
  if (when !== undefined && !meets(row, when)) return false;
  if (required && (row[field] ?? null) === null) return true;
  return equals === undefined ? when !== undefined && !required : row[field] === equals;
}

function assertFieldValid(org: Org, object: OrgObject, row: Row, field: FieldDefinition | undefined): void {
  const value = field === undefined ? null : row[field.name];
  if (field === undefined || typeof value !== "string") return;
  if (field.type === "reference") {
    const type = org.schema.typeOfId(value);
    const target = type === undefined ? undefined : org.tables.get(type, value);
    if (type !== undefined && field.referenceTo !== undefined && !field.referenceTo.includes(type) && !type.endsWith("__c")) {
      throw new ApiError(400, "FIELD_INTEGRITY_EXCEPTION", `${field.label ?? field.name}: id value of incorrect type: ${value}`, [field.name]);
    }
    if (target === undefined) throw new ApiError(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", []);
    if (target.IsDeleted === true) throw new ApiError(400, "ENTITY_IS_DELETED", "entity is deleted", []);
    // Nobody hangs a comment or a file on a record that is hidden from them [K].
    if (type !== undefined && !org.shows(type, target))
      throw new ApiError(400, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "insufficient access rights on cross-reference id", []);
  }
  if (field.unique) {
    const twin = org.rowsWith(object.name, field.name, value).find((other) => other.Id !== row.Id && other.IsDeleted === false);
    if (twin !== undefined)
      throw new ApiError(400, "DUPLICATE_VALUE", `duplicate value found: ${field.name} duplicates value on record with id: ${twin.Id}`, []);
  }
}

/** Bytes that came in a form; those in JSON are base64. */
function isArrived(given: unknown): given is ArrivedBytes {
  return typeof given === "object" && given !== null && "held" in given;
}

function isRequired(field: FieldDefinition): boolean {
  return field.nillable === false && field.createable !== false && !field.autoNumber && field.type !== "boolean";
}
