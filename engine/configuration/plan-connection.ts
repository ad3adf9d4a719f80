import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { EntitySchema } from "../../connectors/connector.ts";
import { platforms } from "../../connectors/platforms.ts";
import { sameJson } from "../replica/canonical.ts";
import type { Json } from "../replica/json.ts";
import { ruleDeclarations } from "../rules/declarations.ts";
import { allowedWrites, runSettings, type SideRow } from "../store/configuration.ts";
import type { Db } from "../store/database.ts";
import { mappingsHash } from "../store/mappings.ts";
import { activeSource } from "../store/rule-versions.ts";
import { listSamples } from "../store/samples.ts";
import type { AllowedWrite, Direction, Position, SideId } from "../store/schema.ts";
import { type CheckedRule, checkRule, defaultRule, RuleRefused, schemasOf } from "../sync/publish.ts";
import { SamplesFail, triedOnPinned } from "../sync/publishing.ts";
import { type Configuration, ConfigurationError, type ConnectionEntry, type SideEntry, type TriggerEntry } from "./file.ts";
import { type MappingTables, parseMappings } from "./mappings.ts";
import { type ApplyMeans, connectorOf, type PlanStep, type Present, said, type Wanted } from "./plan.ts";
import { brokenByTables } from "./tables-in-use.ts";

export interface SidePlan {
  /** Undefined for a side that is not there yet. */
  readonly id: SideId | undefined;
  readonly entry: SideEntry;
  readonly position: Position;
  readonly newTriggers: readonly TriggerEntry[];
  readonly changedTriggers: readonly TriggerEntry[];
  readonly goneTriggers: readonly { readonly entityType: string; readonly query: string }[];
  readonly rules: readonly (CheckedRule & { readonly note: string })[];
  /** Absent where they are as they should be. */
  readonly mappings?: MappingTables;
  readonly redact?: readonly string[];
  readonly allow?: readonly AllowedWrite[];
}

export interface ConnectionPlan {
  readonly entry: ConnectionEntry;
  readonly steps: readonly PlanStep[];
  readonly sides: readonly SidePlan[];
}

export async function planConnection(means: ApplyMeans, present: Present, wanted: Wanted, entry: ConnectionEntry): Promise<ConnectionPlan> {
  const steps: PlanStep[] = [];
  const what = `connection ${entry.name}`;
  const there = present.connections.get(entry.name);
  if (there === undefined)
    steps.push({ action: "create", what, detail: `${entry.left.name} (${entry.left.instance}) and ${entry.right.name} (${entry.right.instance})` });
  else {
    if (there.active !== entry.active) steps.push({ action: "change", what, detail: entry.active ? "resume" : "pause" });
    if (there.keepRunsDays !== entry.keepRunsDays || there.keepRuns !== entry.keepRuns)
      steps.push({ action: "change", what, detail: "how long runs are kept" });
    if (!sameJson(there.limits, entry.limits)) steps.push({ action: "change", what, detail: "what runs of its rules may use" });
  }
  const sides: SidePlan[] = [];
  for (const position of ["left", "right"] as const) {
    const side = entry[position];
    const existing = present.sides.find((row) => row.connectionName === entry.name && row.position === position);
    const instance = existing === undefined ? undefined : [...present.instances.values()].find((row) => row.id === existing.instanceId);
    if (instance !== undefined && instance.name !== side.instance) {
      wanted.problems.push(
        `${wanted.configuration.path}: connections.${entry.name}.${position}.instance: is ${instance.name} on this node and cannot become ${side.instance}, since its twins point at records there; make a new connection`,
      );
      continue;
    }
    if (existing !== undefined && existing.name !== side.name)
      steps.push({ action: "change", what: `side ${entry.name}/${existing.name}`, detail: `renamed to ${side.name}` });
    const planned = await planSide(means, present, wanted, entry, position, existing);
    sides.push(planned.plan);
    steps.push(...planned.steps);
  }
  return { entry, steps, sides };
}

async function planSide(
  means: ApplyMeans,
  present: Present,
  wanted: Wanted,
  connection: ConnectionEntry,
  position: Position,
  existing: SideRow | undefined,
): Promise<{ readonly plan: SidePlan; readonly steps: PlanStep[] }> {
  const entry = connection[position];
  const steps: PlanStep[] = [];
  const where = `${connection.name}/${entry.name}`;
  const triggers = existing === undefined ? [] : present.triggers.filter((trigger) => trigger.sideId === existing.id);
  const same = (a: { entityType: string; query: string }, b: { entityType: string; query: string }): boolean =>
    a.entityType === b.entityType && a.query === b.query;
  const newTriggers = entry.triggers.filter((trigger) => !triggers.some((other) => same(other, trigger)));
  const changedTriggers = entry.triggers.filter((trigger) => triggers.some((other) => same(other, trigger) && other.active !== trigger.active));
  const goneTriggers = triggers.filter((other) => other.active && !entry.triggers.some((trigger) => same(other, trigger)));
  for (const [index, trigger] of entry.triggers.entries()) {
    const isNew = newTriggers.includes(trigger);
    if (isNew)
      steps.push({ action: "create", what: `trigger ${trigger.entityType} on ${where}`, detail: trigger.query === "" ? "every record" : trigger.query });
    if (changedTriggers.includes(trigger))
      steps.push({ action: "change", what: `trigger ${trigger.entityType} on ${where}`, detail: trigger.active ? "resume" : "pause" });
    if (!isNew || !trigger.active) continue;
    try {
      await connectorOf(wanted, entry.instance).checkQuery(trigger);
    } catch (error) {
      wanted.problems.push(`${wanted.configuration.path}: connections.${connection.name}.${position}.triggers.${index}: ${said(error)}`);
    }
  }
  for (const gone of goneTriggers) steps.push({ action: "stop", what: `trigger ${gone.entityType} on ${where}`, detail: gone.query });

  const settings = existing === undefined ? { mappings: {}, mappingsHash: null, redact: [] } : await runSettings(means.db, existing.id);
  const allowed = existing === undefined ? [] : await allowedWrites(means.db, existing.id);
  const mappings = await mappingsOfSide(wanted, connection, entry);
  const mappingsChange = mappingsHash(mappings) !== settings.mappingsHash;
  if (mappingsChange) steps.push({ action: "change", what: `mappings of ${where}`, detail: tablesThatDiffer(settings.mappings, mappings) });
  const redactChanges = !sameJson(settings.redact, entry.redact);
  if (redactChanges) steps.push({ action: "change", what: `redaction of ${where}`, detail: entry.redact.join(", ") || "nothing" });

  const allowChanges = !sameJson(asJson(allowed), asJson(entry.allow));
  if (allowChanges)
    steps.push({
      action: "change",
      what: `paths that rules of ${where} may write to`,
      detail: entry.allow.map(({ method, path }) => `${method} ${path}`).join(", ") || "none",
    });

  const rules: (CheckedRule & { note: string })[] = [];
  let schemas: readonly EntitySchema[] | undefined;
  for (const direction of ["outgoing", "incoming"] as const) {
    const rule = await ruleText(wanted.configuration, connection, entry, direction, means.db, existing);
    if (rule === undefined) continue;
    try {
      schemas ??= await schemasOf(
        connectorOf(wanted, entry.instance),
        entry.triggers.map((trigger) => trigger.entityType),
      );
      const grounds = { declarations: ruleDeclarations(direction, schemas, mappings), libraries: wanted.libraries.sources };
      const checked = await checkRule(means.compiler, grounds, { name: rule.name, direction, source: rule.source });
      rules.push({ ...(existing === undefined ? checked : await withPinnedSamples(means, existing, checked)), note: rule.note });
      steps.push({ action: "publish", what: `rule ${where}/${direction}.ts`, detail: rule.note });
    } catch (error) {
      if (error instanceof SamplesFail)
        wanted.problems.push(
          `${rule.name}: ${error.message}. Mend the rule or the samples; or publish it all the same with: isobridge publish --despite-failures "why"`,
        );
      else if (error instanceof RuleRefused) wanted.problems.push(...error.message.split("\n"));
      else wanted.problems.push(`${wanted.configuration.path}: connections.${connection.name}.${position}: ${said(error)}`);
    }
  }
  if (existing !== undefined && mappingsChange) {
    const staying = (["outgoing", "incoming"] as const).filter((direction) => !rules.some((rule) => rule.direction === direction));
    wanted.problems.push(...(await brokenByTables(means, existing, mappings, staying)));
  }
  return {
    plan: {
      id: existing?.id,
      entry,
      position,
      newTriggers,
      changedTriggers,
      goneTriggers,
      rules,
      ...(mappingsChange ? { mappings } : {}),
      ...(redactChanges ? { redact: entry.redact } : {}),
      ...(allowChanges ? { allow: entry.allow } : {}),
    },
    steps,
  };
}

/** Tries a rule on the samples that must pass before it is published. Throws SamplesFail when they do not. */
async function withPinnedSamples(means: ApplyMeans, side: SideRow, checked: CheckedRule): Promise<CheckedRule> {
  const pinned = await listSamples(means.db, { sideId: side.id, direction: checked.direction, pinned: true, limit: 1 });
  if (pinned.length === 0) return checked;
  if (means.context === undefined) throw new Error("This rule has pinned samples, and nobody here can run them.");
  return await triedOnPinned(await means.context(), side, checked, {});
}

/** The tables of the file, and those of the side's mappings.yaml beside its rules. */
async function mappingsOfSide(wanted: Wanted, connection: ConnectionEntry, side: SideEntry): Promise<MappingTables> {
  const path = join(wanted.configuration.rulesFolder, connection.name, side.name, "mappings.yaml");
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw new ConfigurationError([`${path}: cannot be read (${error.code ?? error.message})`]);
  });
  if (text === undefined) return side.mappings;
  const { tables, problems } = parseMappings(text, shownPath(path));
  wanted.problems.push(...problems);
  for (const name of Object.keys(tables)) {
    if (name in side.mappings)
      wanted.problems.push(`${shownPath(path)}: ${name}: is a table of ${wanted.configuration.path} already; give one of them another name`);
  }
  return { ...side.mappings, ...tables };
}

function tablesThatDiffer(before: MappingTables, after: MappingTables): string {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  // Tables are JSON by construction; their interface does not count as such.
  return names.filter((name) => !sameJson((before[name] ?? null) as unknown as Json, (after[name] ?? null) as unknown as Json)).join(", ");
}

/** For lists of plain members, whose interface does not count as JSON. */
function asJson(value: readonly AllowedWrite[]): Json {
  return value as unknown as Json;
}

function shownPath(path: string): string {
  const shown = relative(process.cwd(), path);
  return shown.startsWith("..") ? path : shown;
}

/** The text to be published, or undefined when what runs is right already: the side's file if there is one, else on a new side the default. */
async function ruleText(
  configuration: Configuration,
  connection: ConnectionEntry,
  side: SideEntry,
  direction: Direction,
  db: Db,
  existing: SideRow | undefined,
): Promise<{ readonly name: string; readonly source: string; readonly note: string } | undefined> {
  const path = join(configuration.rulesFolder, connection.name, side.name, `${direction}.ts`);
  const own = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw new ConfigurationError([`${path}: cannot be read (${error.code ?? error.message})`]);
  });
  const active = existing === undefined ? undefined : await activeSource(db, existing.id, direction);
  if (own !== undefined) {
    const shown = relative(process.cwd(), path);
    return active?.source === own
      ? undefined
      : { name: shown.startsWith("..") ? path : shown, source: own, note: `from ${shown.startsWith("..") ? path : shown}` };
  }
  if (active !== undefined) return undefined;
  const instance = configuration.instances.find((candidate) => candidate.name === side.instance);
  if (instance === undefined) return undefined;
  return {
    name: `${instance.platform} default ${direction}.ts`,
    source: await defaultRule(instance.platform, direction),
    note: `default rule for ${platforms[instance.platform]?.label ?? instance.platform}`,
  };
}
