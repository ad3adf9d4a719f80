import type { MappingTable } from "../run-input.ts";

/**
 * `mapping("priority", value, otherwise?)`: the table's answer in the direction of the run. For a value without a row: `otherwise` if given, else the
 * table's own `otherwise`, else undefined.
 */
export function mappingOf(
  direction: "outgoing" | "incoming",
  tables: Readonly<Record<string, MappingTable>>,
): (name: unknown, value: unknown, otherwise?: unknown) => unknown {
  return (name, value, ...rest) => {
    if (typeof name !== "string" || !Object.hasOwn(tables, name)) {
      const known = Object.keys(tables);
      throw new Error(
        `there is no mapping ${JSON.stringify(name)}: ${known.length === 0 ? "this connection has none" : `this connection has ${known.join(", ")}`}`,
      );
    }
    const table = tables[name];
    const key = keyOf(value);
    const row = table?.[direction];
    if (key !== undefined && row !== undefined && Object.hasOwn(row, key)) return row[key];
    return rest.length > 0 ? rest[0] : table?.otherwise;
  };
}

function keyOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value === "object" && value !== null && "name" in value) return keyOf(value.name);
  return undefined;
}
