import type { WriteOutcome } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { visibleIds } from "./lookup.ts";
import type { Reader } from "./read.ts";
import type { Item } from "./shipments.ts";

/**
 * “invalid cross reference id” [R] means the record itself in an update of one that is not there, and a value of one of its references
 * otherwise, mostly without saying which. Where the record can be seen it is the value: the outcome then is VALIDATION and names the fields.
 */
export async function tellBadReferences(reader: Reader, items: readonly Item[], outcomes: WriteOutcome[]): Promise<void> {
  const doubtful = items.filter(({ place }) => isDoubtful(outcomes[place]));
  for (const [type, group] of Map.groupBy(doubtful, (item) => item.type)) {
    const seen = await visible(
      reader,
      type,
      group.flatMap(({ record }) => (typeof record.id === "string" ? [record.id] : [])),
    );
    const { byName } = await reader.schemas.object(type);
    for (const { place, record } of group) {
      const outcome = outcomes[place];
      const given = Object.entries(record).flatMap(([name, value]) => (value !== null && byName.get(name)?.type === "reference" ? [name] : []));
      if (outcome?.ok !== false || given.length === 0 || (record.id !== undefined && !seen.has(record.id))) continue;
      const { message, platformCode } = outcome.error;
      const fields = outcome.error.fields.length > 0 ? outcome.error.fields : given;
      const text = message.replace(/( \[[^\]]*\])?( \(\w+\))$/, ` [${fields.join(", ")}]$2`);
      outcomes[place] = { ok: false, error: new ConnectorError("VALIDATION", { message: text, fields, ...(platformCode !== undefined && { platformCode }) }) };
    }
  }
}

function isDoubtful(outcome: WriteOutcome | undefined): boolean {
  return outcome?.ok === false && outcome.error.platformCode === "INVALID_CROSS_REFERENCE_KEY";
}

/** Where this cannot be asked, the outcomes stay as the platform gave them. */
async function visible(reader: Reader, type: string, ids: readonly string[]): Promise<ReadonlySet<unknown>> {
  try {
    return await visibleIds(reader, type, ids);
  } catch (error) {
    if (error instanceof ConnectorError) return new Set();
    throw error;
  }
}
