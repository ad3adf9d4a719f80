import type { Entity, EntitySchema, Json } from "../../connectors/connector.ts";
import { isJsonObject } from "../replica/json.ts";
import type { Effects } from "../rules/run-input.ts";
import type { Change } from "./change.ts";

/** What a change would write, a line for each thing: `Update Incident INC001: Priority 2 → 1`. */
export function changeInWords(change: Change, before: Entity | null, schema: EntitySchema): string[] {
  const record = before === null ? `the new ${schema.label}` : `${schema.label} ${before.key}`;
  const fields = Object.entries(change.fields).map(([name, value]) => {
    const field = schema.fields.find((candidate) => candidate.name === name);
    const label = field?.label ?? name;
    const after = shown(value, field?.choices?.find((choice) => choice.value === value)?.label);
    return before === null ? `${label} ${after}` : `${label} ${shown(before.fields[name] ?? null, before.display[name])} → ${after}`;
  });
  const lines: string[] = [];
  if (before === null) lines.push(`Create ${article(schema.label)}${fields.length === 0 ? "" : `: ${fields.join(", ")}`}`);
  else if (fields.length > 0) lines.push(`Update ${record}: ${fields.join(", ")}`);
  const comments = new Map([...(before?.comments ?? []), ...(before?.internalComments ?? [])].map((comment) => [comment.id, comment.body]));
  for (const comment of change.addComments) lines.push(`Add ${comment.internal ? "an internal comment" : "a comment"} to ${record}: ${shown(comment.body)}`);
  for (const { commentId, body } of change.editComments) lines.push(`Change a comment of ${record}: ${shown(comments.get(commentId) ?? "")} → ${shown(body)}`);
  for (const commentId of change.removeComments) lines.push(`Remove a comment of ${record}: ${shown(comments.get(commentId) ?? commentId)}`);
  const attachments = new Map((before?.attachments ?? []).map((attachment) => [attachment.id, attachment.filename]));
  for (const { filename, filesize } of change.addAttachments) lines.push(`Attach ${filename} (${filesize} bytes) to ${record}`);
  for (const id of change.removeAttachments) lines.push(`Remove the attachment ${attachments.get(id) ?? id} of ${record}`);
  return lines;
}

/** What a rule asked for beside its result. */
export function effectsInWords(effects: Effects): string[] {
  return [
    ...(effects.linkTo === undefined ? [] : [`Tie to the existing ${effects.linkTo.type} ${effects.linkTo.id}`]),
    ...effects.startSync.map((ref) => `Start a sync of ${ref.type} ${ref.id}`),
    ...(effects.syncBack ? ["Sync this record back"] : []),
    ...(effects.unlink ? ["End the tie; both records stay"] : []),
  ];
}

const longest = 120;

function shown(value: Json, label?: string): string {
  if (value === null || value === "") return "nothing";
  if (isJsonObject(value)) return typeof value["display"] === "string" ? value["display"] : cut(JSON.stringify(value));
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return label === undefined || label === text ? (/^[\w.:+-]{1,40}$/.test(text) ? text : JSON.stringify(cut(text))) : `${label} (${cut(text)})`;
}

function cut(text: string): string {
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}

function article(label: string): string {
  return `${/^[aeiou]/i.test(label) ? "an" : "a"} ${label}`;
}
