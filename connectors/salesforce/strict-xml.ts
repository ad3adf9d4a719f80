/** An element without its prefix; of its attributes only the type is kept. */
export interface XmlElement {
  readonly name: string;
  /** The value of `xsi:type`. */
  readonly type: string | undefined;
  readonly children: XmlElement[];
  text: string;
}

const deepest = 20;
const mostElements = 100_000;
const name = "[A-Za-z_][\\w.-]*(?::[A-Za-z_][\\w.-]*)?";
/** One step: a tag with its attributes, or the text up to the next one. Whatever else XML can hold is refused. */
const step = new RegExp(`<(/?)(${name})((?:\\s+${name}\\s*=\\s*(?:"[^"<]*"|'[^'<]*'))*)\\s*(/?)>|([^<]+)`, "y");
const declaration = /^\uFEFF?\s*(?:<\?xml\s[^<>?]*\?>)?/;
const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/**
 * Reads the little of XML that SOAP calls are made of: elements, attributes, text and the five entities. A document type, entities of its
 * own, CDATA, comments and processing instructions have no place there and are how parsers are attacked: undefined for all that holds one,
 * is not well-formed, or is deeper than any message.
 */
export function parseStrictXml(text: string): XmlElement | undefined {
  const root: XmlElement = { name: "", type: undefined, children: [], text: "" };
  const open: { readonly tag: string; readonly element: XmlElement }[] = [{ tag: "", element: root }];
  let count = 0;
  step.lastIndex = declaration.exec(text)?.[0].length ?? 0;
  while (step.lastIndex < text.length) {
    const match = step.exec(text);
    if (match === null) return undefined;
    const [, closing, tag = "", attributes = "", empty, characters] = match;
    const inner = open.at(-1);
    if (inner === undefined) return undefined;
    if (characters !== undefined) {
      const plain = decoded(characters);
      if (plain === undefined || (open.length === 1 && plain.trim() !== "")) return undefined;
      inner.element.text += plain;
    } else if (closing === "/") {
      if (attributes !== "" || empty === "/" || open.length === 1 || inner.tag !== tag) return undefined;
      open.pop();
    } else {
      if (++count > mostElements || open.length > deepest) return undefined;
      const element: XmlElement = { name: tag.slice(tag.indexOf(":") + 1), type: typeOf(attributes), children: [], text: "" };
      inner.element.children.push(element);
      if (empty !== "/") open.push({ tag, element });
    }
  }
  return open.length === 1 && root.children.length === 1 ? root.children[0] : undefined;
}

function typeOf(attributes: string): string | undefined {
  const [, double, single] = /\sxsi:type\s*=\s*(?:"([^"]*)"|'([^']*)')/.exec(attributes) ?? [];
  return double ?? single;
}

/** Undefined for an entity that is none of the five and no character. */
function decoded(text: string): string | undefined {
  let sound = true;
  const plain = text.replace(/&([^;&\s]{0,10};)?/g, (_, body: string | undefined) => {
    const character = characterOf(body?.slice(0, -1) ?? "");
    if (character === undefined) sound = false;
    return character ?? "";
  });
  return sound ? plain : undefined;
}

function characterOf(reference: string): string | undefined {
  const [, hexadecimal, decimal] = /^#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}))$/.exec(reference) ?? [];
  if (hexadecimal === undefined && decimal === undefined) return entities[reference];
  const code = hexadecimal === undefined ? Number(decimal) : Number.parseInt(hexadecimal, 16);
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}
