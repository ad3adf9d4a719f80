import { setTimeout as later } from "node:timers";
import { z } from "zod";
import type { Instance } from "./instance.ts";
import { matchesQuery } from "./query.ts";
import { refusals } from "./refusal.ts";
import { stableId } from "./schema.ts";
import type { Row } from "./store.ts";

/** Fields that must be filled, or may not be changed, while a record is in some state [R]. */
export const dataPolicySchema = z.strictObject({
  table: z.string(),
  /** Encoded query: when it applies. */
  when: z.string(),
  mandatory: z.array(z.string()).default([]),
  /** Whose change is refused; the words of that refusal are not recorded [K]. */
  readOnly: z.array(z.string()).default([]),
});
export type DataPolicyInput = z.input<typeof dataPolicySchema>;
export type DataPolicy = z.infer<typeof dataPolicySchema>;

const occasion = z.enum(["insert", "update", "delete"]);
export type Occasion = z.infer<typeof occasion>;

/**
 * What an instance's own automation does when a record is saved. Everything but `abort` and `delayMs` may stand together:
 * a rule that computes, rewrites, closes and comments in one.
 */
export const businessRuleSchema = z.strictObject({
  table: z.string(),
  name: z.string(),
  on: z.array(occasion).default(["insert", "update"]),
  /** Encoded query over the record as it would be saved; empty = always. */
  when: z.string().default(""),
  /** Short for `when` and `abort`. */
  abortWhen: z.string().optional(),
  /** The write is refused with 403 and the rule's name [R]. */
  abort: z.boolean().default(false),
  /** Values by field; `{element}` stands for what another field holds. Setting `state` closes. */
  set: z.record(z.string(), z.string()).default({}),
  /** Replaces in a field whatever a regular expression finds. */
  rewrite: z.array(z.strictObject({ field: z.string(), pattern: z.string(), replacement: z.string() })).default([]),
  /** Appends a comment or work note. */
  journal: z.strictObject({ element: z.enum(["comments", "work_notes"]), text: z.string() }).optional(),
  /** After the save, in a save of its own that moves stamp and count again. */
  after: z.boolean().default(false),
  /** For `after`: so much later. */
  delayMs: z.int().min(0).default(0),
  /** For `after`: whose name the second save bears. Automation usually runs as whoever caused it. */
  runAs: z.enum(["user", "system"]).default("user"),
});
export type BusinessRuleInput = z.input<typeof businessRuleSchema>;
export type BusinessRule = z.infer<typeof businessRuleSchema>;

export function parseBusinessRule(input: unknown): BusinessRule {
  const rule = businessRuleSchema.parse(input);
  return rule.abortWhen === undefined ? rule : { ...rule, when: rule.abortWhen, abort: true };
}

export interface Saving {
  readonly table: string;
  readonly occasion: Occasion;
  readonly userName: string;
  readonly userId: string;
}

/** What a rule changes: values and journal texts. */
export interface RuleEffect {
  readonly values: Readonly<Record<string, string>>;
  readonly journals: readonly (readonly [string, string])[];
}

/** Lets the rules before a save change the draft; gives back the journal texts they add. */
export function runBeforeRules(instance: Instance, saving: Saving, draft: Record<string, string>): (readonly [string, string])[] {
  const journals: (readonly [string, string])[] = [];
  for (const rule of applicable(instance, saving, draft)) {
    if (rule.abort || rule.after) continue;
    const effect = effectOf(instance, saving.table, rule, draft);
    Object.assign(draft, effect.values);
    journals.push(...effect.journals);
  }
  return journals;
}

/** Refuses what policies and aborting rules do not allow; `before` is absent for a new record. */
export function requireAllowed(instance: Instance, saving: Saving, draft: Row, before: Row | undefined): void {
  const classes = instance.schema.ancestry(saving.table);
  const label = (element: string) => instance.schema.column(saving.table, element)?.label ?? element;
  if (saving.occasion !== "delete") {
    for (const policy of instance.policies) {
      if (!classes.includes(policy.table) || !matches(instance, saving, draft, policy.when)) continue;
      const missing = policy.mandatory.filter((element) => (draft[element] ?? "") === "");
      if (missing.length > 0) throw refusals.dataPolicy(missing.map(label));
      const changed = before === undefined ? [] : policy.readOnly.filter((element) => draft[element] !== before[element]);
      if (changed.length > 0) throw refusals.dataPolicyReadOnly(changed.map(label));
    }
  }
  for (const rule of applicable(instance, saving, draft)) if (rule.abort) throw refusals.businessRule(saving.table, rule.name, stableId("rule", rule.name));
}

/** Runs the rules that come after a save; each hands its effect to `save`, now or later. */
export function runAfterRules(instance: Instance, saving: Saving, saved: Row, save: (effect: RuleEffect, rule: BusinessRule) => void): void {
  for (const rule of applicable(instance, saving, saved)) {
    if (rule.abort || !rule.after) continue;
    const run = () => save(effectOf(instance, saving.table, rule, saved), rule);
    if (rule.delayMs > 0) later(run, rule.delayMs).unref();
    else run();
  }
}

function applicable(instance: Instance, saving: Saving, row: Row): BusinessRule[] {
  const classes = instance.schema.ancestry(saving.table);
  return instance.businessRules.filter(
    (rule) => rule.on.includes(saving.occasion) && classes.includes(rule.table) && matches(instance, saving, row, rule.when),
  );
}

function matches(instance: Instance, saving: Saving, row: Row, query: string): boolean {
  return matchesQuery(saving.table, row, query, { ...instance.queryContext(saving), invalidMatchesNothing: false });
}

function effectOf(instance: Instance, table: string, rule: BusinessRule, row: Row): RuleEffect {
  const filled = (text: string) => text.replace(/\{(\w+)\}/g, (_whole, element: string) => row[element] ?? "");
  const values: Record<string, string> = {};
  for (const { field, pattern, replacement } of rule.rewrite)
    values[field] = (values[field] ?? row[field] ?? "").replaceAll(new RegExp(pattern, "g"), replacement);
  for (const [field, text] of Object.entries(rule.set)) values[field] = filled(text);
  for (const field of Object.keys(values)) if (instance.schema.column(table, field) === undefined) delete values[field];
  return { values, journals: rule.journal === undefined ? [] : [[rule.journal.element, filled(rule.journal.text)]] };
}
