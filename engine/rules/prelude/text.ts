type Dialect = "html" | "markdown" | "plain";

type Conversion = (value: unknown, from?: unknown) => string;

export interface Texts {
  readonly toHtml: Conversion;
  readonly toMarkdown: Conversion;
  readonly toPlain: Conversion;
}

/**
 * `text`: simple conversions between dialects for rules that put text together themselves. What they do not know they leave as text.
 * The second argument names the dialect of the first; without it text with tags counts as HTML, other text as Markdown.
 */
export function textOf(): Texts {
  const convert =
    (to: Dialect): Conversion =>
    (value, from) => {
      if (value === undefined || value === null) return "";
      const source = String(value);
      const dialect = from === "html" || from === "markdown" || from === "plain" ? from : looksLikeHtml(source) ? "html" : "markdown";
      return conversions[dialect][to](source);
    };
  return { toHtml: convert("html"), toMarkdown: convert("markdown"), toPlain: convert("plain") };
}

const same = (text: string): string => text;

const conversions: Readonly<Record<Dialect, Readonly<Record<Dialect, (text: string) => string>>>> = {
  html: { html: same, markdown: (html) => htmlTo(html, markdownMarks), plain: (html) => htmlTo(html, plainMarks) },
  markdown: { html: markdownToHtml, markdown: same, plain: markdownToPlain },
  plain: { html: (text) => paragraphs(text, (line) => escapeHtml(line)), markdown: (text) => text.replace(/[\\`*_[\]<>#]/g, "\\$&"), plain: same },
};

/** True when a text has tags of which people make texts. */
export function looksLikeHtml(text: string): boolean {
  return /<\/?(?:p|br|div|span|b|i|u|s|em|strong|a|ul|ol|li|h[1-6]|pre|code|blockquote|table|tr|td|img)\b[^<>]*>/i.test(text);
}

interface Marks {
  readonly strong: string;
  readonly emphasis: string;
  readonly code: string;
  readonly item: string;
  heading(level: number): string;
  link(label: string, address: string): string;
}

const plainMarks: Marks = {
  strong: "",
  emphasis: "",
  code: "",
  item: "- ",
  heading: () => "",
  link: (label, address) => (label === address ? label : `${label} (${address})`),
};
const markdownMarks: Marks = {
  strong: "**",
  emphasis: "*",
  code: "`",
  item: "- ",
  heading: (level) => `${"#".repeat(level)} `,
  link: (label, address) => `[${label}](${address})`,
};

/** One pass over the tags; what is no tag is text. Scripts and styles are left out with their content. */
function htmlTo(html: string, marks: Marks): string {
  const page = new Page();
  let hidden = 0;
  let link: { label: string; readonly address: string } | undefined;
  const write = (text: string): void => {
    if (link === undefined) page.write(text);
    else link.label += text;
  };
  for (const { tag, text } of htmlTokens(html)) {
    if (tag === undefined) {
      if (hidden === 0) write(decodeEntities(text).replace(/[ \t\r\n]+/g, " "));
      continue;
    }
    const [, closing = "", name = ""] = /^(\/?)([a-z][a-z0-9]*)/i.exec(tag) ?? [];
    const element = name.toLowerCase();
    const isEnd = closing === "/";
    if (element === "script" || element === "style") hidden = Math.max(0, hidden + (isEnd ? -1 : 1));
    else if (hidden > 0) continue;
    else if (element === "b" || element === "strong") write(marks.strong);
    else if (element === "i" || element === "em") write(marks.emphasis);
    else if (element === "code") write(marks.code);
    else if (element === "td" && isEnd) write(" ");
    else if (element === "a") {
      if (link !== undefined) page.write(link.address === "" ? link.label : marks.link(link.label, link.address));
      link = isEnd ? undefined : { label: "", address: addressOf(tag) };
    } else if (element === "br") page.breakLine();
    else if (element === "li") page.startItem(isEnd ? "" : marks.item);
    else if (/^h[1-6]$/.test(element)) page.startBlock(isEnd ? "" : marks.heading(Number(element[1])));
    else if (/^(p|pre|blockquote|ul|ol|table)$/.test(element)) page.startBlock("");
    else if (/^(div|tr)$/.test(element)) page.startItem("");
  }
  if (link !== undefined) page.write(link.label);
  return page.text();
}

/** Lines of text. Long texts are never copied as a whole: a rule has a second for all that it does. */
class Page {
  readonly #lines: string[] = [];
  #line = "";
  #gap = 0;
  #start = "";

  write(text: string): void {
    if (this.#line === "") {
      const bare = text.trimStart();
      if (bare === "") return;
      // A gap at the top of the page is none.
      if (this.#lines.length > 0) for (let blank = 1; blank < this.#gap; blank += 1) this.#lines.push("");
      this.#line = this.#start + bare;
      this.#gap = 0;
      this.#start = "";
      return;
    }
    this.#line += text;
  }

  breakLine(): void {
    this.#lines.push(this.#line.trimEnd());
    this.#line = "";
  }

  startItem(mark: string): void {
    this.#end(1, mark);
  }

  startBlock(mark: string): void {
    this.#end(2, mark);
  }

  text(): string {
    return [...this.#lines, this.#line].join("\n").trim();
  }

  #end(gap: number, mark: string): void {
    if (this.#line !== "") this.breakLine();
    this.#gap = Math.max(this.#gap, gap);
    this.#start = mark;
  }
}

function* htmlTokens(html: string): Generator<{ readonly tag?: string; readonly text: string }> {
  let at = 0;
  let close = -1;
  while (at < html.length) {
    const open = html.indexOf("<", at);
    // Looked for once, not again for each of many "<".
    if (open !== -1 && close <= open) close = html.indexOf(">", open);
    if (open === -1 || close === -1) {
      yield { text: html.slice(at) };
      return;
    }
    if (open > at) yield { text: html.slice(at, open) };
    const inner = html.indexOf("<", open + 1);
    if (html.startsWith("<!--", open)) {
      const end = html.indexOf("-->", open + 4);
      if (end === -1) return;
      at = end + 3;
    } else if ((inner !== -1 && inner < close) || !/[a-z/]/i.test(html[open + 1] ?? "")) {
      yield { text: "<" };
      at = open + 1;
    } else {
      yield { tag: html.slice(open + 1, close), text: "" };
      at = close + 1;
    }
  }
}

/** Only addresses that a reader may safely follow. */
function addressOf(tag: string): string {
  const match = /\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i.exec(tag);
  const address = decodeEntities(match?.[1] ?? match?.[2] ?? match?.[3] ?? "");
  return /^(?:https?|mailto|tel):/i.test(address) ? address : "";
}

function markdownToHtml(markdown: string): string {
  return paragraphs(markdown, (line) => {
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    if (heading !== null) return `<b>${inlineHtml(heading[2] ?? "")}</b>`;
    const item = /^\s*[-*+]\s+(.*)$/.exec(line);
    return item === null ? inlineHtml(line) : `• ${inlineHtml(item[1] ?? "")}`;
  });
}

function paragraphs(text: string, line: (line: string) => string): string {
  return text
    .replace(/\r\n?/g, "\n")
    .split(/\n{2,}/)
    .filter((block) => block.trim() !== "")
    .map((block) => `<p>${block.split("\n").map(line).join("<br>")}</p>`)
    .join("");
}

function inlineHtml(text: string): string {
  return escapeHtml(text)
    .replace(/`([^`]+)`/g, "<code>$1</code>")
    .replace(/\[([^[\]]*)\]\(((?:https?|mailto|tel):[^()\s]*)\)/gi, '<a href="$2">$1</a>')
    .replace(/\*\*([^*]+)\*\*/g, "<b>$1</b>")
    .replace(/\*([^*\s][^*]*)\*/g, "<i>$1</i>");
}

function markdownToPlain(markdown: string): string {
  return markdown
    .replace(/\r\n?/g, "\n")
    .replace(/^#{1,6}[ \t]+/gm, "")
    .replace(/!?\[([^[\]]*)\]\(([^()\s]*)\)/g, (_all, label: string, address: string) =>
      label === "" || label === address ? address : `${label} (${address})`,
    )
    .replace(/`([^`\n]+)`/g, "$1")
    .replace(/\*\*([^*\n]+)\*\*/g, "$1")
    .replace(/(^|[\s(])[*_]([^*_\s][^*_\n]*)[*_](?=$|[\s).,;:!?])/gm, "$1$2")
    .replace(/\\([\\`*_[\]<>#])/g, "$1");
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[character] ?? character);
}

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(amp|lt|gt|quot|apos|nbsp));/gi, (whole, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " }[name.toLowerCase()] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
