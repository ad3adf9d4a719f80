type Dialect = "html" | "markdown" | "plain";

/**
 * `text`: simple conversions between dialects for rules that put text together themselves. What they do not know they leave as text.
 * The second argument names the dialect of the first; without it text with tags counts as HTML, other text as Markdown.
 */
export function textOf(): Record<string, unknown> {
  const convert =
    (to: Dialect) =>
    (value: unknown, from?: unknown): string => {
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

function looksLikeHtml(text: string): boolean {
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

/** One pass over the tags; `<` without its `>` is text. Scripts and styles are left out with their content. */
function htmlTo(html: string, marks: Marks): string {
  let out = "";
  let hidden = 0;
  let link: { start: number; address: string } | undefined;
  for (const [, tag, chunk] of html.matchAll(/<([/!]?[a-z][^<>]*|!--[^>]*--)>|([^<]+|<)/gi)) {
    if (chunk !== undefined) {
      if (hidden === 0) out += decodeEntities(chunk).replace(/[ \t\r\n]+/g, " ");
      continue;
    }
    const [, closing = "", name = ""] = /^(\/?)([a-z][a-z0-9]*)/i.exec(tag ?? "") ?? [];
    const element = name.toLowerCase();
    const isEnd = closing === "/";
    if (element === "script" || element === "style") hidden = Math.max(0, hidden + (isEnd ? -1 : 1));
    else if (hidden > 0) continue;
    else if (element === "br") out = `${out.trimEnd()}\n`;
    else if (element === "b" || element === "strong") out += marks.strong;
    else if (element === "i" || element === "em") out += marks.emphasis;
    else if (element === "code") out += marks.code;
    else if (element === "li") out = isEnd ? out : `${endLine(out, 1)}${marks.item}`;
    else if (element === "a") {
      if (!isEnd) link = { start: out.length, address: addressOf(tag ?? "") };
      else if (link !== undefined) {
        const label = out.slice(link.start);
        if (link.address !== "") out = out.slice(0, link.start) + marks.link(label, link.address);
        link = undefined;
      }
    } else if (/^h[1-6]$/.test(element)) out = isEnd ? endLine(out, 2) : endLine(out, 2) + marks.heading(Number(element[1]));
    else if (/^(p|pre|blockquote|ul|ol|table)$/.test(element)) out = endLine(out, 2);
    else if (/^(div|tr)$/.test(element)) out = endLine(out, 1);
    else if (element === "td" && isEnd) out += " ";
  }
  return out.trim();
}

function endLine(text: string, lines: number): string {
  const bare = text.trimEnd();
  return bare === "" ? "" : bare + "\n".repeat(lines);
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
