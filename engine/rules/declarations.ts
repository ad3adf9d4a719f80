import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { EntitySchema, FieldSchema } from "../../connectors/connector.ts";
import { mappingDeclarations } from "./mapping-declarations.ts";
import { entityViewNames, type MappingTable } from "./run-input.ts";

export type Direction = "outgoing" | "incoming";

/**
 * The ambient declarations of one side: what the checker and the editor know beyond the language itself. `entity` is a union discriminated by
 * `entityType`, made of the instance's own schema, and `mapping` knows the names of the side's tables, where they are given. The text is the same for the same schemas
 * and tables, whatever their order.
 */
export function ruleDeclarations(direction: Direction, schemas: readonly EntitySchema[], tables?: Readonly<Record<string, MappingTable>>): string {
  const sorted = [...schemas].sort((a, b) => (a.entityType < b.entityType ? -1 : 1));
  const named = sorted.map((schema, index) => ({ schema, name: interfaceName(schema.entityType, index, sorted) }));
  const union = named.length === 0 ? "EntityBase & { [field: string]: any }" : named.map(({ name }) => name).join(" | ");
  const types = named.length === 0 ? "string" : named.map(({ schema }) => literal(schema.entityType)).join(" | ");
  return [
    ambient("both"),
    ambient(direction),
    `/** The entity types that this side's rules know. */\ntype EntityTypeName = ${types};\n`,
    `/** The entity types that this side's rules know, by their names. */\ninterface EntityTypes {\n${named.map(({ schema, name }) => `  ${literal(schema.entityType)}: ${name};\n`).join("")}}\n`,
    entityBase(direction),
    ...named.map(({ schema, name }) => entityInterface(direction, schema, name)),
    `type Entity = ${union};\n`,
    direction === "outgoing"
      ? "/** The local record, read-only. */\ndeclare const entity: Entity;\n"
      : "/** The local record, to be changed: only what differs afterwards is written. Blank on the first sync, when the rule chooses `entityType`. */\ndeclare const entity: Entity;\n",
    "/** Old name of `entity`. */\ndeclare const issue: Entity;\n",
    mappingDeclarations(direction, tables),
  ].join("\n");
}

/** Changes with the text: a rule checked against declarations of another hash needs a fresh look. */
export function declarationsHash(declarations: string): string {
  return createHash("sha256").update(declarations).digest("hex");
}

const texts = new Map<string, string>();

function ambient(name: "both" | Direction): string {
  const known = texts.get(name);
  if (known !== undefined) return known;
  const text = readFileSync(new URL(`../../rules/ambient/${name}.d.ts`, import.meta.url), "utf8").replace(/^(?:\/\/ biome-ignore.*\n+)+/, "");
  texts.set(name, text);
  return text;
}

function entityBase(direction: Direction): string {
  const list = direction === "outgoing" ? "readonly " : "";
  return `/** What every record has, whatever its type. */
interface EntityBase {
  readonly entityRef: EntityRef | null;
  /** What people call it: a number, a case number. */
  readonly key: string;
  /** Where a person opens it. */
  readonly url: string;
  /** The labels of choice fields: \`entity.display.state\`. */
  readonly display: Readonly<Record<string, string | undefined>>;
  /** Public comments, oldest first. */
  ${list}comments: ${list}RuleComment[];
  /** Work notes and private comments: they stay here unless the rule names them. */
  ${list}internalComments: ${list}RuleComment[];
  ${list}attachments: ${list}RuleAttachment[];
}
`;
}

function entityInterface(direction: Direction, schema: EntitySchema, name: string): string {
  const own = new Set<string>(entityViewNames);
  const lines = [...schema.fields]
    .filter((field) => !own.has(field.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((field) => fieldLines(direction, field));
  // Inferred from a few records: what was not seen may be there all the same.
  const open = schema.sampled ? "  [field: string]: any;\n" : "";
  const mark = direction === "outgoing" ? "readonly " : "";
  const label = schema.sampled
    ? `${doc(schema.label)}\n * Its fields were inferred from a few records: others may be there, and nothing is known of labels, choices and rights.`
    : doc(schema.label);
  return `/** ${label} */\ninterface ${name} extends EntityBase {\n  ${mark}entityType: ${literal(schema.entityType)};\n${lines.join("")}${open}}\n`;
}

function fieldLines(direction: Direction, field: FieldSchema): string {
  const name = /^[A-Za-z_$][\w$]*$/.test(field.name) ? field.name : literal(field.name);
  const comment = `  /** ${comments(field)} */\n`;
  const read = readType(field);
  if (direction === "outgoing" || field.readOnly) return `${comment}  readonly ${name}: ${read};\n`;
  const write = writeType(field);
  if (write === read) return `${comment}  ${name}: ${read};\n`;
  return `${comment}  get ${name}(): ${read};\n  set ${name}(value: ${write});\n`;
}

/** Shown by the editor: label, help, and what else a person should know before writing. */
function comments(field: FieldSchema): string {
  const notes = [
    field.requiredOnCreate ? "Required on create." : "",
    field.readOnly ? "Read-only." : "",
    field.custom ? "Custom field." : "",
    field.maxLength === undefined ? "" : `At most ${field.maxLength} characters.`,
    field.references === undefined || field.references.length === 0 ? "" : `Refers to ${field.references.join(", ")}.`,
    ...(field.choices ?? []).slice(0, 50).map((choice) => (choice.value === choice.label ? "" : `${quoted(choice.value)} is ${choice.label}.`)),
  ].filter((note) => note !== "");
  return [doc(field.label), field.help === undefined || field.help === "" ? "" : doc(field.help), ...notes.map(doc)]
    .filter((part) => part !== "")
    .join("\n   * ");
}

/** A literal in the declarations. What cannot be seen, or turns the order of what follows, is written out. */
function literal(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function quoted(value: string): string {
  return value.includes("`") ? JSON.stringify(value) : `\`${value}\``;
}

/**
 * Text of the platform inside a comment: one line that can neither end the comment, nor begin a tag of its own (`@deprecated` would strike the
 * field out), nor turn the order in which what follows is shown.
 */
function doc(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu, " ")
    .replace(/\*\//g, "*\u200b/")
    .replace(/^\s*@|\{@/g, (tag) => tag.replace("@", "\u200b@"))
    .trim();
}

function readType(field: FieldSchema): string {
  const type = bareType(field);
  return field.nullable ? `${type} | null` : type;
}

function bareType(field: FieldSchema): string {
  switch (field.type) {
    case "text":
    case "longText":
    case "richText":
    case "date":
    case "instant":
      return "string";
    case "integer":
    case "decimal":
      return "number";
    case "boolean":
      return "boolean";
    case "choice":
      return choiceType(field);
    case "choices":
      return `(${choiceType(field)})[]`;
    case "reference":
      return referenceType(field);
    case "references":
      return `${referenceType(field)}[]`;
    case "duration":
    case "computed":
    case "other":
      return "any";
  }
}

/** Beyond some targets (`WhatId` of Salesforce may refer to any of dozens) the names help nobody. */
const mostTargets = 20;

function referenceType({ references = [] }: FieldSchema): string {
  if (references.length === 0 || references.length > mostTargets) return "Reference";
  return `Reference<${[...references].sort().map(literal).join(" | ")}>`;
}

function choiceType(field: FieldSchema): string {
  const literals = (field.choices ?? []).slice(0, 500).map((choice) => literal(choice.value));
  if (literals.length === 0) return "string";
  // `string & {}` keeps the known values in the editor's suggestions.
  return field.closed === false || (field.choices?.length ?? 0) > 500 ? `${literals.join(" | ")} | (string & {})` : literals.join(" | ");
}

/** What may be assigned: undefined leaves the field alone, null empties it. */
function writeType(field: FieldSchema): string {
  const type = bareType(field);
  switch (field.type) {
    case "reference":
      return "Reference | Person | EntityRef | FoundBase | string | null | undefined";
    case "references":
      return "readonly (Reference | Person | EntityRef | FoundBase | string)[] | null | undefined";
    case "date":
    case "instant":
      return "string | Date | null | undefined";
    default:
      return type === "any" ? "any" : `${type} | null | undefined`;
  }
}

/** `Case` becomes `CaseEntity`; types whose names differ only in what an identifier cannot hold get a number. */
function interfaceName(entityType: string, index: number, all: readonly EntitySchema[]): string {
  const plain = pascal(entityType);
  const isUnique = all.every((schema, other) => other === index || pascal(schema.entityType) !== plain);
  return isUnique ? `${plain}Entity` : `${plain}Entity${index}`;
}

function pascal(entityType: string): string {
  const name = entityType
    .split(/[^A-Za-z0-9]+/)
    .filter((part) => part !== "")
    .map((part) => part[0]?.toUpperCase() + part.slice(1))
    .join("");
  return /^[A-Za-z]/.test(name) ? name : `Type${name}`;
}
