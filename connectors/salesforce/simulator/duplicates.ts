import { ApiError } from "./api-error.ts";
import type { Org, Row } from "./org.ts";
import { attributesOf } from "./render.ts";
import type { DuplicateRule } from "./rules.ts";
import type { OrgObject } from "./schema.ts";

/** Refuses a row that a duplicate rule finds again among the others, with the records found; `allowSave=true` overrules a rule that lets itself be [D,R]. */
export function assertNoDuplicate(org: Org, object: OrgObject, row: Row, before: Row | undefined): void {
  for (const rule of org.rules.duplicates) {
    if (rule.object !== object.name || (rule.allowSave && org.transactions.origin.allowDuplicates)) continue;
    if (before !== undefined && rule.fields.every((name) => before[name] === row[name])) continue;
    const found = matches(org, rule, row);
    if (found.length === 0) continue;
    throw new ApiError(400, "DUPLICATES_DETECTED", "Use one of these records?", [], { duplicateResult: resultOf(rule, found) });
  }
}

function matches(org: Org, { object, fields }: DuplicateRule, row: Row): Row[] {
  const folded = (value: unknown) => (typeof value === "string" ? value.toLowerCase() : (value ?? null));
  const values = fields.map((name) => folded(row[name]));
  if (values.includes(null)) return [];
  const indexed = fields.find((name) => org.index(object).has(name));
  const candidates = indexed === undefined ? org.rows(object) : org.rowsWith(object, indexed, row[indexed] ?? null);
  return [...candidates].filter((other) => other.Id !== row.Id && other.IsDeleted === false && fields.every((name, i) => folded(other[name]) === values[i]));
}

function resultOf({ name, object, allowSave }: DuplicateRule, found: readonly Row[]) {
  const matchRecords = found.map(({ Id }) => ({
    additionalInformation: [],
    fieldDiffs: [],
    matchConfidence: 100,
    record: { attributes: attributesOf(object, Id, "60.0"), Id },
  }));
  return {
    allowSave,
    duplicateRule: name,
    duplicateRuleEntityType: object,
    errorMessage: "Use one of these records?",
    matchResults: [{ entityType: object, errors: [], matchEngine: "ExactMatchEngine", matchRecords, rule: name, size: found.length, success: true }],
  };
}
