import type { Connector, Entity, FieldSchema, Json } from "../../connectors/connector.ts";
import { looksLikeHtml, textOf } from "../rules/prelude/text.ts";
import type { Message } from "../store/messages.ts";

/** Names of members from the replica down to a text. */
export type RichPath = readonly string[];

/**
 * Where a replica holds a text just as it stands in a rich field (HTML on every platform there is) of the record that it was made of. It
 * travels beside the replica, so that the other side need not guess whether a text with angle brackets is rich. The schema is asked for
 * only if some field holds HTML at all.
 */
export async function richTextIn(connector: Connector, entity: Entity, replica: Json): Promise<RichPath[]> {
  const html = Object.entries(entity.fields).filter(([, value]) => typeof value === "string" && looksLikeHtml(value));
  if (html.length === 0) return [];
  const { fields } = await connector.describe(entity.ref.type);
  const richFields = new Set(fields.filter(({ type }) => type === "richText").map(({ name }) => name));
  const texts = new Set(html.filter(([name]) => richFields.has(name)).map(([, value]) => value));
  const found: RichPath[] = [];
  const visit = (value: Json, path: RichPath): void => {
    if (texts.has(value)) found.push(path);
    else if (typeof value === "object" && value !== null) for (const [name, member] of Object.entries(value)) visit(member as Json, [...path, name]);
  };
  if (texts.size > 0) visit(replica, []);
  return found;
}

/** The texts of a message, and of what was known before it, that came from rich fields. */
export function richTextsOf({ rich, body, previous }: Pick<Message, "rich" | "body" | "previous">): ReadonlySet<string> {
  const texts = new Set<string>();
  for (const path of rich ?? []) {
    for (const replica of [body, previous]) {
      const text = path.reduce<unknown>(
        (value, name) => (typeof value === "object" && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined),
        replica,
      );
      if (typeof text === "string") texts.add(text);
    }
  }
  return texts;
}

/**
 * A value as a field takes it: rich text becomes plain in a plain field, plain text becomes HTML in a rich one. Only what came from a rich
 * field is held to be rich: a plain text may well be about tags.
 */
export function inDialectOf(field: FieldSchema | undefined, value: Json, rich: ReadonlySet<string>): Json {
  if (typeof value !== "string" || field === undefined) return value;
  switch (field.type) {
    case "richText":
      return looksLikeHtml(value) || value === "" ? value : textOf().toHtml(value, "plain");
    case "longText":
      return rich.has(value) ? textOf().toPlain(value, "html") : value;
    case "text":
      return rich.has(value)
        ? textOf()
            .toPlain(value, "html")
            .replace(/\s*\n\s*/g, " ")
        : value;
    default:
      return value;
  }
}

/** True when a plain text that was made rich for this field says what stands there already, however that is formatted: writing it would undo the formatting. */
export function saysTheSame(field: FieldSchema | undefined, earlier: unknown, written: Json, given: Json | undefined): boolean {
  if (field?.type !== "richText" || written === given || typeof earlier !== "string") return false;
  const { toPlain } = textOf();
  return toPlain(earlier, "html") === given || toPlain(earlier, "html") === toPlain(written, "html");
}
