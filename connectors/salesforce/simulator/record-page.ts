import { salesforceId } from "../id.ts";
import type { Org, Row } from "./org.ts";

/** A page that shows a record to somebody who follows its link; a real org would show its own screen. */
export function recordPage(org: Org, id: string): Response {
  const known = salesforceId(id);
  const type = known === undefined ? undefined : org.schema.typeOfId(known);
  const row = known === undefined || type === undefined ? undefined : org.row(type, known);
  if (type === undefined || row === undefined) return html(404, "<h1>Insufficient privileges or no such record</h1>");
  const comments = org.rowsWith("CaseComment", "ParentId", row.Id).filter(({ IsDeleted }) => IsDeleted === false);
  const files = org
    .rowsWith("ContentDocumentLink", "LinkedEntityId", row.Id)
    .flatMap((link) => (link.IsDeleted === true ? [] : (org.tables.get("ContentDocument", String(link.ContentDocumentId)) ?? [])));
  return html(
    200,
    `<h1>${text(`${type} ${String(row.CaseNumber ?? row.Name ?? row.Id)}`)}</h1>${table(row)}${list("Comments", comments, (comment) => `${who(org, comment)}: ${String(comment.CommentBody)}`)}${list("Files", files, ({ Title }) => String(Title))}`,
  );
}

function table(row: Row): string {
  const rows = Object.entries(row).filter(([, value]) => value !== null);
  return `<table>${rows.map(([name, value]) => `<tr><th>${text(name)}</th><td>${text(String(value))}</td></tr>`).join("")}</table>`;
}

function list(title: string, rows: readonly Row[], line: (row: Row) => string): string {
  return rows.length === 0 ? "" : `<h2>${title}</h2><ul>${rows.map((row) => `<li>${text(line(row))}</li>`).join("")}</ul>`;
}

function who(org: Org, row: Row): string {
  return String(org.tables.get("User", String(row.CreatedById))?.Name ?? row.CreatedById);
}

function html(status: number, body: string): Response {
  const head =
    "<!DOCTYPE html><html lang=en><head><title>Simulated Salesforce</title><style>body{font:14px sans-serif;margin:2rem}th{text-align:left;padding-right:1rem}td{white-space:pre-wrap}</style></head>";
  return new Response(`${head}<body>${body}</body></html>`, { status, headers: { "content-type": "text/html;charset=UTF-8" } });
}

function text(value: string): string {
  return value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
