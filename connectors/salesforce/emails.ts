import type { Comment, Person } from "../connector.ts";
import { creatorOf } from "./comments.ts";
import type { SoqlRecord } from "./queries.ts";
import { isoInstant } from "./values.ts";

export const emailColumns: readonly string[] = [
  "Id",
  ...["Subject", "TextBody", "HtmlBody", "FromAddress", "FromName", "ToAddress", "Status", "MessageDate"],
  ...["CreatedDate", "CreatedById", "CreatedBy.Name", "CreatedBy.Email", "CreatedBy.Username"],
];

/** The value of `EmailMessage.Status` that says that it was not sent yet [K]. */
const draft = "5";

/**
 * An e-mail of a case as a comment: its head, then its text. Its author is who sent it, which for one that came in is not the user who
 * made the record. It is never edited, so both its times are when it was sent.
 */
export function emailComments(record: SoqlRecord, internal: boolean): Comment[] {
  if (record.Status === draft) return [];
  const sent = isoInstant(String(record.MessageDate ?? record.CreatedDate));
  const head = [line("From", senderText(record)), line("To", record.ToAddress), line("Subject", record.Subject)].flat();
  const body = [head.join("\n"), bodyText(record)].filter((part) => part !== "").join("\n\n");
  return [{ id: String(record.Id), body, internal, author: senderOf(record), created: sent, updated: sent }];
}

function senderOf(record: SoqlRecord): Person | null {
  const { FromAddress, FromName } = record;
  if (typeof FromAddress !== "string") return creatorOf(record);
  return { id: FromAddress, email: FromAddress, ...(typeof FromName === "string" && { displayName: FromName }) };
}

function senderText({ FromAddress, FromName }: SoqlRecord): string {
  if (typeof FromAddress !== "string") return typeof FromName === "string" ? FromName : "";
  return typeof FromName === "string" && FromName !== FromAddress ? `${FromName} <${FromAddress}>` : FromAddress;
}

function line(name: string, value: unknown): string[] {
  return typeof value === "string" && value !== "" ? [`${name}: ${value}`] : [];
}

/** The plain text, or what can be read of the formatted one where that is all there is. */
function bodyText({ TextBody, HtmlBody }: SoqlRecord): string {
  if (typeof TextBody === "string" && TextBody.trim() !== "") return TextBody;
  return typeof HtmlBody === "string" ? withoutMarkup(HtmlBody) : "";
}

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };

function withoutMarkup(html: string): string {
  return html
    .replace(/<(script|style|head)\b[\s\S]*?<\/\1\s*>/gi, "")
    .replace(/<!--[\s\S]*?-->/g, "")
    .replace(/\s+/g, " ")
    .replace(/<(br|\/p|\/div|\/li|\/tr|\/h[1-6])\b[^>]*>/gi, "\n")
    .replace(/<[^>]*>/g, "")
    .replace(/&(#x[0-9a-f]+|#\d+|\w+);/gi, (whole, name: string) =>
      name.startsWith("#") ? characterOf(name.slice(1), whole) : (entities[name.toLowerCase()] ?? whole),
    )
    .replace(/[^\S\n]*\n[^\S\n]*/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

function characterOf(number: string, otherwise: string): string {
  const code = number.toLowerCase().startsWith("x") ? Number.parseInt(number.slice(1), 16) : Number(number);
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : otherwise;
}
