import type { Connector } from "../../connectors/connector.ts";
import { platforms } from "../../connectors/platforms.ts";
import { sameJson } from "../replica/canonical.ts";
import { saveAllowedWrites, saveConnection, saveInstance, saveRedaction, saveSide, saveTrigger } from "../store/configuration.ts";
import type { Tx } from "../store/database.ts";
import { saveMappings } from "../store/mappings.ts";
import type { InstanceId } from "../store/schema.ts";
import { Secret, type Vault } from "../store/secrets.ts";
import { type IsOtherwiseChanged, publishLibraries } from "../sync/libraries.ts";
import { publish } from "../sync/publish.ts";
import { type Configuration, ConfigurationError, type InstanceEntry } from "./file.ts";
import { type ApplyMeans, awaitsSignIn, loadKept, loadPresent, type Plan, type PlanStep, type Present, trySignIn, type Wanted } from "./plan.ts";
import { type ConnectionPlan, planConnection } from "./plan-connection.ts";
import { planLibraries, readLibraries } from "./plan-libraries.ts";
import { resolveSecrets } from "./secrets.ts";

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
    const libraries = await readLibraries(means.db, configuration);
    const wanted: Wanted = { configuration, secrets, kept: await loadKept(means), connectors, libraries, problems: [], notes: [] };
    const instances = planInstances(means, present, wanted, await present.fingerprints());
    await Promise.all(instances.filter((plan) => plan.change !== undefined).map(async ({ entry }) => await trySignIn(wanted, entry)));
    // What follows would only repeat that an instance cannot be reached.
    if (wanted.problems.length > 0) throw new ConfigurationError(wanted.problems);
    const connections: ConnectionPlan[] = [];
    const waiting = configuration.instances.filter((entry) => awaitsSignIn(wanted, entry)).map(({ name }) => name);
    const later: string[] = [];
    for (const entry of configuration.connections) {
      const missing = waiting.filter((name) => name === entry.left.instance || name === entry.right.instance);
      if (missing.length === 0) connections.push(await planConnection(means, present, wanted, entry));
      else
        later.push(
          `connection ${entry.name}: nobody has signed in to ${missing.join(" and ")} yet; ${missing.map((name) => `isobridge sign-in ${name}`).join(", ")}, then apply again`,
        );
    }
    const isPublished = publishedBy(connections);
    const planned = await planLibraries(means, configuration, libraries, wanted.problems, isPublished);
    if (wanted.problems.length > 0) throw new ConfigurationError(wanted.problems);
    const plan: Plan = {
      steps: [
        ...instances.flatMap(({ change }) => (change === undefined ? [] : [change])),
        ...planned.steps,
        ...connections.flatMap((connection) => connection.steps),
      ],
      leftAlone: leftAlone(present, configuration),
      notes: wanted.notes,
      waiting: later,
    };
    if (!options.dryRun && plan.steps.length > 0)
      await means.db.transaction().execute(async (tx) => {
        if (planned.checked.libraries.length > 0)
          await publishLibraries(tx, planned.checked, { note: "from the rules folder", author: options.author }, isPublished);
        await write(tx, means.vault, wanted, instances, connections, options.author);
      });
    return plan;
  } finally {
    await Promise.all([...connectors.values()].map(async (connector) => await connector.close()));
  }
}

/** The rules of the node that are published from their files. */
function publishedBy(connections: readonly ConnectionPlan[]): IsOtherwiseChanged {
  const published = new Set(connections.flatMap(({ sides }) => sides.flatMap(({ id, rules }) => rules.map((rule) => `${id} ${rule.direction}`))));
  return (sideId, direction) => published.has(`${sideId} ${direction}`);
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
      const given = vault.fingerprint(secret, place);
      const now = wanted.kept.replaced(entry.name, name);
      const text = now === undefined ? secret : new Secret(now);
      return { name, sealed: vault.seal(text, place), fingerprint: vault.fingerprint(text, place), given, kept: now !== undefined };
    });
    await saveInstance(tx, entry, secrets);
  }
  for (const { entry, sides } of connections) {
    const connectionId = await saveConnection(tx, entry);
    for (const side of sides) {
      const sideId = await saveSide(tx, { connectionId, position: side.position, name: side.entry.name, instanceName: side.entry.instance });
      if (side.mappings !== undefined) await saveMappings(tx, sideId, side.mappings);
      if (side.redact !== undefined) await saveRedaction(tx, sideId, side.redact);
      if (side.allow !== undefined) await saveAllowedWrites(tx, sideId, side.allow);
      for (const rule of side.rules) await publish(tx, sideId, rule, { note: rule.note, author });
      for (const trigger of [...side.newTriggers, ...side.changedTriggers]) await saveTrigger(tx, { sideId, ...trigger });
      for (const trigger of side.goneTriggers) await saveTrigger(tx, { sideId, ...trigger, active: false });
    }
  }
}
