import type { MappingTable } from "./run-input.ts";

const heading = "/** Looks a value up in a table that is kept beside the rules.";

/**
 * The declaration of `mapping` for one direction. With the side's tables their names are known, so that a mistyped one is an error; and in a table that has
 * no `otherwise`, a literal value that no row has. Without (`undefined`: nobody knows them) any name is let through.
 */
export function mappingDeclarations(direction: "outgoing" | "incoming", tables: Readonly<Record<string, MappingTable>> | undefined): string {
  const way = direction === "outgoing" ? "this side's values into the other side's" : "the other side's values into this side's";
  const doc = `${heading} Turns ${way}. A value without a row gives \`otherwise\`, else the table's own, else undefined. */`;
  if (tables === undefined) return `${doc}\ndeclare function mapping(table: string, value: unknown, otherwise?: Json): any;\n`;
  const named = Object.entries(tables).sort(([a], [b]) => (a < b ? -1 : 1));
  const keys = named.map(([name, table]) => `  ${JSON.stringify(name)}: ${keysOf(table, direction)};\n`).join("");
  const names = named.length === 0 ? "never" : named.map(([name]) => JSON.stringify(name)).join(" | ");
  return `${doc}
declare function mapping<Table extends ${names}, const Value>(table: Table, value: MappedValue<Value, MappingKeys[Table]>): any;
declare function mapping(table: ${names}, value: unknown, otherwise: Json | undefined): any;
/** The values that have a row in each table of this side; \`string\` where a table has an answer for all others. */
interface MappingKeys {
${keys}}
/** Anything but a literal that no row has: such a value could never be found. */
type MappedValue<Value, Keys> = [Extract<Value, string>] extends [never] ? Value : string extends Value ? Value : [Extract<Value, Keys>] extends [never] ? Keys : Value;
`;
}

/** The same declarations with other tables: those of a folder may be newer than those that its types were pulled with. */
export function withMappingTables(declarations: string, direction: "outgoing" | "incoming", tables: Readonly<Record<string, MappingTable>>): string {
  const start = declarations.indexOf(heading);
  // What was pulled before tables had names of their own stays as it is.
  return start < 0 ? declarations : `${declarations.slice(0, start)}${mappingDeclarations(direction, tables)}`;
}

/** Beyond so many rows their values are not spelled out. */
const mostKeys = 500;

function keysOf(table: MappingTable, direction: "outgoing" | "incoming"): string {
  const keys = Object.keys(table[direction]).sort();
  const isOpen = table.otherwise !== undefined || keys.length === 0 || keys.length > mostKeys;
  return isOpen ? "string" : keys.map((key) => JSON.stringify(key)).join(" | ");
}
