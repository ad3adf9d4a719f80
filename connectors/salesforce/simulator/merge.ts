import { salesforceId } from "../id.ts";
import { ApiError } from "./api-error.ts";
import type { Input, Org, Row } from "./org.ts";

/** The kinds of records that can be merged, and how many at once: a master and two more [D]. */
export const mergeable = ["Account", "Contact", "Lead", "Case"];

/**
 * Merges records into one of them: what belonged to the others belongs to it from then on, and they go to the recycle bin with
 * `MasterRecordId` naming it [D]. Throws what the platform says of records that cannot be merged.
 */
export function mergeRecords(org: Org, type: string, masterId: string, loserIds: readonly string[], fields: Input, caller: string): Row {
  const object = org.schema.object(type);
  if (object === undefined || !mergeable.includes(object.name)) throw new ApiError(400, "INVALID_TYPE", `entity type cannot be merged: ${type}`);
  if (loserIds.length < 1 || loserIds.length > 2) throw new ApiError(400, "INVALID_NUMBER_OF_RECORDS", "a merge takes one or two records beside the master");
  return org.transactions.save(() => {
    const master = org.existing(object.name, masterId);
    const losers = loserIds.map((id) => org.existing(object.name, id));
    if (losers.some(({ Id }) => Id === master.Id) || new Set(losers.map(({ Id }) => Id)).size < losers.length)
      throw new ApiError(400, "INVALID_ID_FIELD", "duplicate id in list");
    for (const loser of losers) {
      moveChildren(org, object.name, loser.Id, master.Id, caller);
      org.touch(object.name, loser, { IsDeleted: true, ...(object.fields.has("masterrecordid") && { MasterRecordId: master.Id }) }, caller);
    }
    return Object.keys(fields).length > 0
      ? org.update(object.name, master.Id, fields, caller)
      : org.touch(object.name, org.existing(object.name, master.Id), {}, caller);
  });
}

function moveChildren(org: Org, type: string, from: string, to: string, caller: string): void {
  for (const { childObject, field } of org.schema.children(type)) {
    if (field === "MasterRecordId") continue;
    for (const row of org.rowsWith(childObject, field, salesforceId(from) ?? from))
      if (row.IsDeleted === false) org.touch(childObject, row, { [field]: to }, caller);
  }
}
