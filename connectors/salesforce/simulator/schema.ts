import { type FieldDefinition, type ObjectDefinition, systemFields } from "./definitions.ts";

export interface ChildRelationship {
  readonly childObject: string;
  readonly field: string;
  readonly relationshipName: string | undefined;
  readonly cascadeDelete: boolean;
}

/** An object with its fields by lower-case name: the platform ignores the case of names. */
export interface OrgObject {
  readonly definition: ObjectDefinition;
  readonly name: string;
  readonly fields: ReadonlyMap<string, FieldDefinition>;
}

/** The objects and fields of one org; custom ones can be added while it runs. */
export class OrgSchema {
  /** Changes with every change of any object. */
  revision = 0;
  readonly #objects = new Map<string, { definition: ObjectDefinition; name: string; fields: Map<string, FieldDefinition> }>();
  readonly #byPrefix = new Map<string, string>();
  readonly #changed = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** When the object was last changed, in milliseconds: describes say so. */
  changedAt(object: string): number {
    return this.#changed.get(object.toLowerCase()) ?? 0;
  }

  addObject(definition: ObjectDefinition): void {
    const fields = new Map<string, FieldDefinition>();
    const own = systemFields.filter(({ name }) => !definition.without?.includes(name));
    for (const field of [...own, ...definition.fields]) fields.set(field.name.toLowerCase(), field);
    this.#objects.set(definition.name.toLowerCase(), { definition, name: definition.name, fields });
    this.#byPrefix.set(definition.keyPrefix, definition.name);
    this.#note(definition.name);
  }

  addField(object: string, field: FieldDefinition): void {
    const found = this.#objects.get(object.toLowerCase());
    if (found === undefined) throw new Error(`no object ${object}`);
    found.fields.set(field.name.toLowerCase(), field);
    this.#note(object);
  }

  removeField(object: string, field: string): void {
    this.#note(object);
    this.#objects.get(object.toLowerCase())?.fields.delete(field.toLowerCase());
  }

  object(name: string): OrgObject | undefined {
    return this.#objects.get(name.toLowerCase());
  }

  objects(): OrgObject[] {
    return [...this.#objects.values()];
  }

  field(object: string, name: string): FieldDefinition | undefined {
    return this.object(object)?.fields.get(name.toLowerCase());
  }

  /** The object that an id belongs to, by its first three characters. */
  typeOfId(id: string): string | undefined {
    return this.#byPrefix.get(id.slice(0, 3));
  }

  /** The field that holds the id of the parent named so in a path. */
  parentField(object: OrgObject, relationship: string): FieldDefinition | undefined {
    const wanted = relationship.toLowerCase();
    for (const field of object.fields.values()) if (field.relationshipName?.toLowerCase() === wanted) return field;
    return undefined;
  }

  children(parent: string): ChildRelationship[] {
    const found: ChildRelationship[] = [];
    for (const object of this.#objects.values()) {
      for (const field of object.fields.values()) {
        if (field.referenceTo === undefined || !pointsAt(field, parent)) continue;
        found.push({ childObject: object.name, field: field.name, relationshipName: field.childRelationshipName, cascadeDelete: field.cascadeDelete ?? false });
      }
    }
    return found;
  }

  #note(object: string): void {
    this.revision++;
    this.#changed.set(object.toLowerCase(), this.#now());
  }
}

/** Files and feeds may belong to any custom object too. */
function pointsAt(field: FieldDefinition, object: string): boolean {
  if (field.referenceTo?.includes(object)) return true;
  const anyCustom = field.name === "LinkedEntityId" || field.name === "FirstPublishLocationId";
  return anyCustom && object.endsWith("__c");
}
