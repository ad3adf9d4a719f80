import { ConnectorError } from "../errors.ts";
import type { TableSchema } from "./table-schema.ts";

/** BAD_REQUEST that names the field and those that look like it. */
export function unknownField(element: string, schema: TableSchema, path?: string): ConnectorError {
  const { entityType, sampled } = schema.entity;
  const names = [...schema.columns.keys()];
  const similar = similarNames(element, names);
  const where = path === undefined ? "" : ` (in “${path}”)`;
  const guess = similar.length === 0 ? "" : ` Did you mean ${similar.join(", ")}?`;
  const none = sampled && names.length === 0 ? " This account may read neither the dictionary nor any record of the table, so no field can be checked." : "";
  return new ConnectorError("BAD_REQUEST", {
    message: `${entityType} has no field “${element}”${where}.${guess}${none}`,
    advice: "Use the column's name, not its label. A field that exists may also be hidden from the integration account.",
    fields: [element],
  });
}

/** At most three, nearest first. */
export function similarNames(name: string, names: readonly string[]): string[] {
  const wanted = name.toLowerCase();
  const tolerance = Math.max(2, Math.floor(wanted.length / 3));
  return names
    .map((candidate) => ({ candidate, distance: candidate.includes(wanted) || wanted.includes(candidate) ? 1 : editDistance(wanted, candidate) }))
    .filter(({ distance }) => distance <= tolerance)
    .toSorted((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

/** Levenshtein's distance, row by row. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
