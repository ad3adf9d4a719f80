import { isMap, isNode, isScalar, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { isJsonObject, type Json } from "../replica/json.ts";
import type { MappingTable } from "../rules/run-input.ts";

export type MappingTables = Readonly<Record<string, MappingTable>>;

const json = z.custom<Json>((value) => z.json().safeParse(value).success, { error: "must be text, a number, true, false, null, a list or an object of such" });
const rows = z.record(z.string(), json);

/**
 * A table of values as it stands in a file. `rows` are pairs read in both directions: this side's value, then the other side's.
 * `outgoing` and `incoming` are for values that have no one partner: read in that direction alone. What a table answers is any JSON; what it is asked
 * for is text, a number, true or false, or an object that is known by its `name`.
 */
const table = z.strictObject({ rows: rows.default({}), outgoing: rows.default({}), incoming: rows.default({}), otherwise: json.optional() });

/** Tables by name, as in `mappings:` of the configuration or in a mappings.yaml. */
export const mappingEntries = z.record(
  z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, "must be 1 to 63 letters, digits, - or _, and start with a letter"),
  table,
);
export type MappingEntries = z.infer<typeof mappingEntries>;

/** Says what is wrong at a place in the entries. */
export type SayMapping = (where: readonly string[], message: string) => void;

/**
 * Makes tables as rules are given them. A value that would have two answers is refused, in either direction: which of them
 * holds would depend on the order of lines.
 */
export function mappingTables(entries: MappingEntries, say: SayMapping): MappingTables {
  return Object.fromEntries(
    Object.entries(entries).map(([name, entry]): [string, MappingTable] => {
      const outgoing = new Map<string, Json>();
      const incoming = new Map<string, Json>();
      for (const [ours, theirs] of Object.entries(entry.rows)) {
        outgoing.set(ours, theirs);
        const key = keyOf(theirs);
        if (key === undefined) {
          say(
            [name, "rows", ours],
            `${JSON.stringify(theirs)} could not be read back, since a table is asked for text, a number, true, false or an object with a name; put this row under outgoing`,
          );
        } else if (incoming.has(key)) {
          say(
            [name, "rows", ours],
            `${JSON.stringify(theirs)} is the partner of ${JSON.stringify(incoming.get(key))} already, so that it could not be read back; put this row under outgoing, where it is read one way`,
          );
        } else incoming.set(key, ours);
      }
      for (const [direction, known] of [
        ["outgoing", outgoing],
        ["incoming", incoming],
      ] as const) {
        for (const [from, to] of Object.entries(entry[direction])) {
          if (known.has(from)) say([name, direction, from], `${JSON.stringify(from)} has an answer in rows already: ${JSON.stringify(known.get(from))}`);
          known.set(from, to);
        }
      }
      const otherwise = entry.otherwise === undefined ? {} : { otherwise: entry.otherwise };
      return [name, { outgoing: Object.fromEntries(outgoing), incoming: Object.fromEntries(incoming), ...otherwise }];
    }),
  );
}

/** What the table is asked for where a replica or a record holds this value; the same as `mapping` finds at run time. */
function keyOf(value: Json): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const name = isJsonObject(value) ? value["name"] : undefined;
  return name === undefined ? undefined : keyOf(name);
}

/** The same tables seen from the other side. */
export function turned(tables: MappingTables): MappingTables {
  return Object.fromEntries(
    Object.entries(tables).map(([name, { outgoing, incoming, ...rest }]) => [name, { outgoing: incoming, incoming: outgoing, ...rest }]),
  );
}

/** Reads a mappings.yaml. Problems name file, line and column. */
export function parseMappings(text: string, path: string): { readonly tables: MappingTables; readonly problems: readonly string[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const at = (offset: number | undefined): string => {
    if (offset === undefined) return path;
    const { line, col } = lines.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  if (document.errors.length > 0) {
    return {
      tables: {},
      problems: document.errors.map(
        (error) => `${at(error.pos[0])}: ${error.code === "DUPLICATE_KEY" ? "this key stands here twice" : `this is not valid YAML: ${error.message}`}`,
      ),
    };
  }
  const place = (where: readonly PropertyKey[]): string => at(offsetOf(document.contents, where));
  const parsed = mappingEntries.safeParse(document.toJS() ?? {});
  if (!parsed.success) {
    const problems = parsed.error.issues.flatMap((issue) =>
      issue.code === "unrecognized_keys"
        ? issue.keys.map(
            (key) =>
              `${place([...issue.path, key])}: ${[...issue.path, key].map(String).join(".")}: is not a known key here; a table has rows, outgoing, incoming, otherwise`,
          )
        : [
            `${place(issue.path)}: ${issue.path.map(String).join(".") || "the file"}: ${issue.code === "invalid_key" ? issue.issues.map((inner) => inner.message).join("; ") : issue.message}`,
          ],
    );
    return { tables: {}, problems };
  }
  const problems: string[] = [];
  const tables = mappingTables(parsed.data, (where, message) => problems.push(`${place(where)}: ${where.join(".")}: ${message}`));
  return { tables, problems };
}

/** Where the key that a path ends with stands, or the nearest around it. */
function offsetOf(root: unknown, where: readonly PropertyKey[]): number | undefined {
  let node = root;
  let offset = isNode(root) ? root.range?.[0] : undefined;
  for (const step of where) {
    if (!isMap(node)) return offset;
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
    if (pair === undefined) return offset;
    if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset;
    node = pair.value;
  }
  return offset;
}
