import { readFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import type { Connector, EntitySchema } from "../../connectors/connector.ts";
import { ConnectorError } from "../../connectors/errors.ts";
import { platforms } from "../../connectors/platforms.ts";
import { sameJson } from "../replica/canonical.ts";
import type { Json } from "../replica/json.ts";
import type { RuleCompiler } from "../rules/compile.ts";
import {
  type InstanceRow,
  listConnections,
  listInstances,
  listSides,
  listTriggers,
  runSettings,
  type SideRow,
  saveConnection,
  saveInstance,
  saveRedaction,
  saveSide,
  saveTrigger,
  sealedSecretsOf,
  type TriggerRow,
} from "../store/configuration.ts";
import type { Db, Tx } from "../store/database.ts";
import { mappingsHash, saveMappings } from "../store/mappings.ts";
import { activeSource } from "../store/rule-versions.ts";
import { listSamples } from "../store/samples.ts";
import type { ConnectionId, Direction, InstanceId, Position } from "../store/schema.ts";
import { Secret, type Vault } from "../store/secrets.ts";
import type { SyncContext } from "../sync/context.ts";
import { type CheckedRule, checkRule, defaultRule, publish, RuleRefused, schemasOf } from "../sync/publish.ts";
import { SamplesFail, triedOnPinned } from "../sync/publishing.ts";
import {
  type Configuration,
  ConfigurationError,
  type ConnectionEntry,
  type InstanceEntry,
  type SecretSource,
  type SideEntry,
  type TriggerEntry,
} from "./file.ts";
import { type MappingTables, parseMappings } from "./mappings.ts";

export interface PlanStep {
  readonly action: "create" | "change" | "publish" | "stop";
  /** `instance helpdesk`, `connection support`, `trigger incident on support/SN`, `rule support/SN/incoming.ts`. */
  readonly what: string;
  readonly detail: string;
}

export interface Plan {
  /** What has to be done, in order; empty when the node is as the file says. */
  readonly steps: readonly PlanStep[];
  /** What the node has and the file does not name; it is left as it is. */
  readonly leftAlone: readonly string[];
}

export interface ApplyMeans {
  readonly db: Db;
  readonly vault: Vault;
  readonly compiler: RuleCompiler;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Runs pinned samples; only asked for when a rule that has some is to be published. Without it such a rule is refused. */
  readonly context?: () => Promise<SyncContext>;
}

/**
 * Brings the node to what the file says. Everything that can be refused (missing secrets, sign-in, trigger queries, rules that
 * do not check) is tried first; then all is written in one transaction, so that a refusal leaves nothing half-done. With
 * `dryRun` nothing is written. Throws {@link ConfigurationError} with a line for each thing that is wrong.
 */
export async function applyConfiguration(
  means: ApplyMeans,
  configuration: Configuration,
  options: { readonly dryRun: boolean; readonly author: string },
): Promise<Plan> {
  const secrets = await resolveSecrets(configuration, means.environment);
  const present = await loadPresent(means.db);
  const connectors = new Map<string, Connector>();
  try {
    const wanted: Wanted = { configuration, secrets, connectors, problems: [] };
    const instances = planInstances(means, present, wanted, await present.fingerprints());
    await Promise.all(instances.filter((plan) => plan.change !== undefined).map(async ({ entry }) => await trySignIn(wanted, entry)));
    // What follows would only repeat that an instance cannot be reached.
    if (wanted.problems.length > 0) throw new ConfigurationError(wanted.problems);
    const connections: ConnectionPlan[] = [];
    for (const entry of configuration.connections) connections.push(await planConnection(means, present, wanted, entry));
    if (wanted.problems.length > 0) throw new ConfigurationError(wanted.problems);
    const plan: Plan = {
      steps: [...instances.flatMap(({ change }) => (change === undefined ? [] : [change])), ...connections.flatMap((connection) => connection.steps)],
      leftAlone: leftAlone(present, configuration),
    };
    if (!options.dryRun && plan.steps.length > 0)
      await means.db.transaction().execute(async (tx) => await write(tx, means.vault, wanted, instances, connections, options.author));
    return plan;
  } finally {
    await Promise.all([...connectors.values()].map(async (connector) => await connector.close()));
  }
}

interface Wanted {
  readonly configuration: Configuration;
  readonly secrets: ReadonlyMap<string, ReadonlyMap<string, Secret>>;
  readonly connectors: Map<string, Connector>;
  readonly problems: string[];
}

async function resolveSecrets(configuration: Configuration, environment: ApplyMeans["environment"]): Promise<Map<string, Map<string, Secret>>> {
  const problems: string[] = [];
  const resolved = new Map<string, Map<string, Secret>>();
  for (const instance of configuration.instances) {
    const own = new Map<string, Secret>();
    resolved.set(instance.name, own);
    for (const [name, source] of Object.entries(instance.secrets)) {
      const text = await secretText(source, environment, dirname(configuration.path));
      if (typeof text === "string") own.set(name, new Secret(text));
      else problems.push(`${configuration.path}: instances.${instance.name}.secrets.${name}: ${text.problem}`);
    }
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  return resolved;
}

async function secretText(source: SecretSource, environment: ApplyMeans["environment"], folder: string): Promise<string | { readonly problem: string }> {
  if ("env" in source) {
    const text = environment[source.env];
    return text === undefined || text === "" ? { problem: `the environment variable ${source.env} is not set; set it to the secret and apply again` } : text;
  }
  const path = resolve(folder, source.file);
  try {
    // Editors end files with a line break that is no part of the secret; inside, a key in PEM has many that are.
    return (await readFile(path, "utf8")).replace(/\r?\n$/, "");
  } catch (error) {
    return { problem: `the file ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"})` };
  }
}

interface Present {
  readonly instances: ReadonlyMap<string, InstanceRow>;
  readonly sides: readonly SideRow[];
  readonly triggers: readonly TriggerRow[];
  readonly connections: ReadonlyMap<
    string,
    { readonly id: ConnectionId; readonly active: boolean; readonly keepRunsDays: number | null; readonly keepRuns: number | null }
  >;
  fingerprints(): Promise<ReadonlyMap<InstanceId, ReadonlyMap<string, string>>>;
}

async function loadPresent(db: Db): Promise<Present> {
  const instances = await listInstances(db);
  return {
    instances: new Map(instances.map((instance) => [instance.name, instance])),
    sides: await listSides(db),
    triggers: await listTriggers(db),
    connections: new Map((await listConnections(db)).map((connection) => [connection.name, connection])),
    async fingerprints() {
      const all = new Map<InstanceId, Map<string, string>>();
      for (const { id } of instances) all.set(id, new Map((await sealedSecretsOf(db, id)).map((secret) => [secret.name, secret.fingerprint])));
      return all;
    },
  };
}

interface InstancePlan {
  readonly entry: InstanceEntry;
  readonly change: PlanStep | undefined;
}

function planInstances(
  means: ApplyMeans,
  present: Present,
  wanted: Wanted,
  fingerprints: ReadonlyMap<InstanceId, ReadonlyMap<string, string>>,
): InstancePlan[] {
  return wanted.configuration.instances.map((entry): InstancePlan => {
    const what = `instance ${entry.name}`;
    const there = present.instances.get(entry.name);
    if (there === undefined)
      return {
        entry,
        change: { action: "create", what, detail: `${platforms[entry.platform]?.label ?? entry.platform} at ${String(entry.config["url"] ?? "")}` },
      };
    if (there.platform !== entry.platform) {
      wanted.problems.push(
        `${wanted.configuration.path}: instances.${entry.name}.platform: is ${there.platform} on this node and cannot become ${entry.platform}; give the new instance another name`,
      );
      return { entry, change: undefined };
    }
    const changed: string[] = [];
    if (!sameJson(there.config, entry.config)) changed.push("configuration");
    if (there.pollIntervalMs !== entry.pollIntervalMs) changed.push("poll interval");
    const stored = fingerprints.get(there.id) ?? new Map<string, string>();
    for (const [name, secret] of wanted.secrets.get(entry.name) ?? []) {
      if (stored.get(name) !== means.vault.fingerprint(secret, `${entry.name}/${name}`)) changed.push(`secret ${name}`);
    }
    return { entry, change: changed.length === 0 ? undefined : { action: "change", what, detail: changed.join(", ") } };
  });
}

function connectorOf(wanted: Wanted, name: string): Connector {
  const made = wanted.connectors.get(name);
  if (made !== undefined) return made;
  const entry = wanted.configuration.instances.find((instance) => instance.name === name);
  const platform = entry === undefined ? undefined : platforms[entry.platform];
  if (entry === undefined || platform === undefined) throw new Error(`There is no instance ${name}.`);
  const secrets = Object.fromEntries([...(wanted.secrets.get(name) ?? [])].map(([secretName, secret]) => [secretName, secret.reveal()]));
  const connector = platform.connect(entry.config, secrets);
  wanted.connectors.set(name, connector);
  return connector;
}

async function trySignIn(wanted: Wanted, entry: InstanceEntry): Promise<void> {
  try {
    await connectorOf(wanted, entry.name).check();
  } catch (error) {
    wanted.problems.push(`${wanted.configuration.path}: instances.${entry.name}: ${said(error)}`);
  }
}

/** A connector's error in one line with what to do; anything else is ours and goes on. */
function said(error: unknown): string {
  if (!(error instanceof ConnectorError)) throw error;
  return error.advice === undefined ? error.message : `${error.message} ${error.advice}`;
}

interface SidePlan {
  readonly entry: SideEntry;
  readonly position: Position;
  readonly newTriggers: readonly TriggerEntry[];
  readonly changedTriggers: readonly TriggerEntry[];
  readonly goneTriggers: readonly { readonly entityType: string; readonly query: string }[];
  readonly rules: readonly (CheckedRule & { readonly note: string })[];
  /** Absent where they are as they should be. */
  readonly mappings?: MappingTables;
  readonly redact?: readonly string[];
}

interface ConnectionPlan {
  readonly entry: ConnectionEntry;
  readonly steps: readonly PlanStep[];
  readonly sides: readonly SidePlan[];
}

async function planConnection(means: ApplyMeans, present: Present, wanted: Wanted, entry: ConnectionEntry): Promise<ConnectionPlan> {
  const steps: PlanStep[] = [];
  const what = `connection ${entry.name}`;
  const there = present.connections.get(entry.name);
  if (there === undefined)
    steps.push({ action: "create", what, detail: `${entry.left.name} (${entry.left.instance}) and ${entry.right.name} (${entry.right.instance})` });
  else {
    if (there.active !== entry.active) steps.push({ action: "change", what, detail: entry.active ? "resume" : "pause" });
    if (there.keepRunsDays !== entry.keepRunsDays || there.keepRuns !== entry.keepRuns)
      steps.push({ action: "change", what, detail: "how long runs are kept" });
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
  const mappings = await mappingsOfSide(wanted, connection, entry);
  const mappingsChange = mappingsHash(mappings) !== settings.mappingsHash;
  if (mappingsChange) steps.push({ action: "change", what: `mappings of ${where}`, detail: tablesThatDiffer(settings.mappings, mappings) });
  const redactChanges = !sameJson(settings.redact, entry.redact);
  if (redactChanges) steps.push({ action: "change", what: `redaction of ${where}`, detail: entry.redact.join(", ") || "nothing" });

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
      const checked = await checkRule(means.compiler, schemas, { name: rule.name, direction, source: rule.source });
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
  return {
    plan: {
      entry,
      position,
      newTriggers,
      changedTriggers,
      goneTriggers,
      rules,
      ...(mappingsChange ? { mappings } : {}),
      ...(redactChanges ? { redact: entry.redact } : {}),
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

function leftAlone(present: Present, configuration: Configuration): string[] {
  return [
    ...[...present.instances.keys()].filter((name) => !configuration.instances.some((entry) => entry.name === name)).map((name) => `instance ${name}`),
    ...[...present.connections.keys()].filter((name) => !configuration.connections.some((entry) => entry.name === name)).map((name) => `connection ${name}`),
  ];
}

async function write(
  tx: Tx,
  vault: Vault,
  wanted: Wanted,
  instances: readonly InstancePlan[],
  connections: readonly ConnectionPlan[],
  author: string,
): Promise<void> {
  for (const { entry, change } of instances) {
    if (change === undefined) continue;
    const secrets = [...(wanted.secrets.get(entry.name) ?? [])].map(([name, secret]) => {
      const place = `${entry.name}/${name}`;
      return { name, sealed: vault.seal(secret, place), fingerprint: vault.fingerprint(secret, place) };
    });
    await saveInstance(tx, entry, secrets);
  }
  for (const { entry, sides } of connections) {
    const connectionId = await saveConnection(tx, entry);
    for (const side of sides) {
      const sideId = await saveSide(tx, { connectionId, position: side.position, name: side.entry.name, instanceName: side.entry.instance });
      if (side.mappings !== undefined) await saveMappings(tx, sideId, side.mappings);
      if (side.redact !== undefined) await saveRedaction(tx, sideId, side.redact);
      for (const rule of side.rules) await publish(tx, sideId, rule, { note: rule.note, author });
      for (const trigger of [...side.newTriggers, ...side.changedTriggers]) await saveTrigger(tx, { sideId, ...trigger });
      for (const trigger of side.goneTriggers) await saveTrigger(tx, { sideId, ...trigger, active: false });
    }
  }
}
