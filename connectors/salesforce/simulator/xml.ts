/** An element of an XML document: its name without prefix, and what is in it. */
export interface Element {
  readonly name: string;
  readonly children: readonly Element[];
  /** Its own text, where it has no children. */
  readonly text: string;
}

/** Reads the XML that SOAP clients send: elements and texts; attributes, comments and declarations are passed over. Undefined where it is none. */
export function readXml(xml: string): Element | undefined {
  const open: { name: string; children: Element[]; text: string }[] = [{ name: "", children: [], text: "" }];
  for (const [, close, name, empty, text] of xml.matchAll(/<(?:[?!][^>]*|(\/)?(?:[\w.-]+:)?([\w.-]+)(?:\s[^>]*?)?(\/)?)>|([^<]+)/g)) {
    const holder = open.at(-1);
    if (holder === undefined) return undefined;
    if (text !== undefined) holder.text += unescaped(text);
    else if (name !== undefined && close === undefined) {
      const element = { name, children: [], text: "" };
      holder.children.push(element);
      if (empty === undefined) open.push(element);
    } else if (name !== undefined && open.pop()?.name !== name) return undefined;
  }
  return open.length === 1 ? open[0]?.children[0] : undefined;
}

/** The first element of that name, wherever it is. */
export function find(element: Element | undefined, name: string): Element | undefined {
  if (element === undefined || element.name === name) return element;
  for (const child of element.children) {
    const found = find(child, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The texts of all children of that name. */
export function texts(element: Element, name: string): string[] {
  return element.children.filter((child) => child.name === name).map(({ text }) => text.trim());
}

export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;").replaceAll("'", "&apos;");
}

function unescaped(text: string): string {
  return text.replace(/&(?:lt|gt|quot|apos|amp|#x?[0-9a-fA-F]+);/g, (entity) => {
    const named = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&" }[entity];
    return named ?? String.fromCodePoint(Number(entity.slice(2, -1).replace(/^x/, "0x")));
  });
}
