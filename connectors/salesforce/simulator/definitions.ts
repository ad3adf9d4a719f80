/** The kinds of field that describe names [R]. */
export type FieldKind =
  | "id" | "string" | "boolean" | "int" | "double" | "currency" | "percent" | "date" | "datetime" | "email" | "phone" | "url" | "textarea"
  | "picklist" | "multipicklist" | "reference" | "address" | "base64"; // biome-ignore format: one list

export interface PicklistEntry {
  readonly value: string;
  readonly label?: string;
  readonly isDefault?: boolean;
}

/** One field of a simulated object; what is left out takes the value that custom fields have by default. */
export interface FieldDefinition {
  readonly name: string;
  readonly label?: string;
  readonly type: FieldKind;
  readonly length?: number;
  readonly scale?: number;
  readonly nillable?: boolean;
  readonly createable?: boolean;
  readonly updateable?: boolean;
  /** Filled by the platform when a create leaves it out, with `defaultValue` or by a rule of the object. */
  readonly defaultedOnCreate?: boolean;
  readonly defaultValue?: string | boolean | number;
  readonly picklist?: readonly PicklistEntry[];
  readonly restricted?: boolean;
  readonly unique?: boolean;
  readonly externalId?: boolean;
  readonly idLookup?: boolean;
  readonly autoNumber?: boolean;
  readonly calculated?: boolean;
  /** How a calculated field is worked out: a text that names other fields of the row in braces. */
  readonly formula?: string;
  readonly nameField?: boolean;
  readonly htmlFormatted?: boolean;
  readonly filterable?: boolean;
  readonly referenceTo?: readonly string[];
  /** How SOQL reaches the parent: `Account` for `Account.Name`. */
  readonly relationshipName?: string;
  /** How SOQL reaches these rows from the parent: `(SELECT … FROM CaseComments)`. */
  readonly childRelationshipName?: string;
  readonly cascadeDelete?: boolean;
  readonly inlineHelpText?: string;
}

export interface ObjectDefinition {
  readonly name: string;
  readonly label?: string;
  readonly labelPlural?: string;
  readonly keyPrefix: string;
  readonly feedEnabled?: boolean;
  readonly createable?: boolean;
  readonly updateable?: boolean;
  readonly deletable?: boolean;
  /** The fields of every object that this one lacks. */
  readonly without?: readonly string[];
  readonly fields: readonly FieldDefinition[];
}

/** The fields that every object has, but for those that say otherwise. */
export const systemFields: readonly FieldDefinition[] = [
  { name: "Id", label: "Record ID", type: "id", length: 18, nillable: false, createable: false, updateable: false, defaultedOnCreate: true, idLookup: true },
  { name: "IsDeleted", label: "Deleted", type: "boolean", nillable: false, createable: false, updateable: false, defaultedOnCreate: true },
  { name: "CreatedDate", label: "Created Date", type: "datetime", nillable: false, createable: false, updateable: false, defaultedOnCreate: true },
  { ...stampedBy("CreatedById", "Created By ID", "CreatedBy") },
  { name: "LastModifiedDate", label: "Last Modified Date", type: "datetime", nillable: false, createable: false, updateable: false, defaultedOnCreate: true },
  { ...stampedBy("LastModifiedById", "Last Modified By ID", "LastModifiedBy") },
  { name: "SystemModstamp", label: "System Modstamp", type: "datetime", nillable: false, createable: false, updateable: false, defaultedOnCreate: true },
];

function stampedBy(name: string, label: string, relationshipName: string): FieldDefinition {
  return {
    name,
    label,
    type: "reference",
    referenceTo: ["User"],
    relationshipName,
    nillable: false,
    createable: false,
    updateable: false,
    defaultedOnCreate: true,
  };
}

export function string(name: string, label: string, length = 255, more: Partial<FieldDefinition> = {}): FieldDefinition {
  return { name, label, type: "string", length, ...more };
}

export function longText(name: string, label: string, length = 32_000, more: Partial<FieldDefinition> = {}): FieldDefinition {
  return { name, label, type: "textarea", length, filterable: false, ...more };
}

export function picklist(name: string, label: string, values: readonly (string | PicklistEntry)[], more: Partial<FieldDefinition> = {}): FieldDefinition {
  return { name, label, type: "picklist", length: 255, picklist: values.map((value) => (typeof value === "string" ? { value } : value)), ...more };
}

export function boolean(name: string, label: string, more: Partial<FieldDefinition> = {}): FieldDefinition {
  return { name, label, type: "boolean", nillable: false, defaultedOnCreate: true, defaultValue: false, ...more };
}

export function reference(name: string, label: string, referenceTo: readonly string[], more: Partial<FieldDefinition> = {}): FieldDefinition {
  return { name, label, type: "reference", length: 18, referenceTo, relationshipName: name.replace(/Id$/, ""), ...more };
}

/** A field that the platform fills and nobody writes. */
export const readOnly = { createable: false, updateable: false } as const;
/** An owner: the caller, where a create leaves it out. */
export const owner = (...types: string[]): FieldDefinition => reference("OwnerId", "Owner ID", types, { nillable: false, defaultedOnCreate: true });
