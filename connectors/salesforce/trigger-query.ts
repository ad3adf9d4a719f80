import { parseQuery } from "@jetstreamapp/soql-parser-js";
import type { Watch } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import type { Reader } from "./read.ts";

/** Conditions that were parsed before: each poll brings the same one again. */
const sound = new Set<string>();
const mostRemembered = 500;

/**
 * The conditions of a trigger's query alone: people paste them with their WHERE. They must stand by themselves as the conditions of one
 * statement, so that they cannot reach out of the place where they are put. Throws BAD_REQUEST that says what is wrong.
 */
export function conditionOf({ entityType, query }: Watch): string {
  const condition = query
    .trim()
    .replace(/^where\s+/i, "")
    .trim();
  const remembered = `${entityType} ${condition}`;
  if (condition === "" || sound.has(remembered)) return condition;
  assertSound(condition, entityType);
  if (sound.size >= mostRemembered) sound.clear();
  sound.add(remembered);
  return condition;
}

/** Runs a person's condition for one record. Throws BAD_REQUEST with the platform's words and the column in that person's text. */
export async function checkWatch({ client, schemas }: Reader, watch: Watch): Promise<void> {
  await schemas.object(watch.entityType);
  const condition = conditionOf(watch);
  if (condition === "") return;
  const start = `SELECT Id FROM ${watch.entityType} WHERE (`;
  try {
    await client.query(`${start}${condition}\n) LIMIT 1`, `check the query of ${watch.entityType}`);
  } catch (error) {
    if (!(error instanceof ConnectorError) || error.code !== "BAD_REQUEST") throw error;
    // The platform counts columns from the start of the statement, the person from the start of the query.
    const shift = watch.query.indexOf(condition) - start.length;
    const message = error.message.replace(/ at column (\d+)/, (_, column: string) => ` at column ${Number(column) + shift}`);
    throw new ConnectorError("BAD_REQUEST", { message, ...(error.platformCode !== undefined && { platformCode: error.platformCode }) });
  }
}

function assertSound(condition: string, entityType: string): void {
  const start = "SELECT Id FROM Case WHERE ";
  let parsed: object;
  try {
    parsed = parseQuery(start + condition);
  } catch (error) {
    throw unsound(entityType, parserComplaint(error, start.length));
  }
  const more = Object.keys(parsed).filter((part) => part !== "fields" && part !== "sObject" && part !== "where");
  if (more.length > 0) throw unsound(entityType, `it holds more than conditions (${more.join(", ")})`);
}

function unsound(entityType: string, reason: string): ConnectorError {
  return new ConnectorError("BAD_REQUEST", {
    message: `The query of ${entityType} is not a SOQL condition: ${reason}.`,
    advice: "Give what stands after WHERE, without ORDER BY and LIMIT, such as: Status = 'New' AND Priority = 'High'.",
  });
}

/** What the parser found, in words for a person; where it tells a place it counts from the start of its statement, the person from the start of the condition. */
function parserComplaint(error: unknown, shift: number): string {
  const text = error instanceof Error ? error.message : String(error);
  const [, found] = /but found: '?([\s\S]*?)'?$/.exec(text) ?? [];
  if (found !== undefined && text.startsWith("Redundant input")) return `it should end before “${found}”`;
  if (found !== undefined) {
    const wanted = text.includes("[EQUAL]") ? "a comparison, such as =," : text.includes("[StringIdentifier]") ? "a value, such as 'New'," : "something else";
    return `${wanted} is expected ${found === "" ? "where it ends" : `in place of “${found}”`}`;
  }
  const [first = ""] = text.split(/\n/);
  return first
    .replace(/ at offset: \d+, skipped \d+ characters\. \(1:(\d+)\)/, (_, column: string) => ` at column ${Number(column) - shift}`)
    .replace(/[:.\s]+$/, "");
}
