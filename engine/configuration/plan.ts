import type { Connector } from "../../connectors/connector.ts";
import { ConnectorError } from "../../connectors/errors.ts";
import { platforms } from "../../connectors/platforms.ts";
import type { RuleCompiler } from "../rules/compile.ts";
import {
  type InstanceRow,
  keepSecret,
  keptSecrets,
  listConnections,
  listInstances,
  listSides,
  listTriggers,
  openedSecrets,
  type SideRow,
  sealedSecretsOf,
  type TriggerRow,
} from "../store/configuration.ts";
import type { Db } from "../store/database.ts";
import type { ConnectionId, InstanceId } from "../store/schema.ts";
import type { Secret, Vault } from "../store/secrets.ts";
import type { SyncContext } from "../sync/context.ts";
import type { Configuration, InstanceEntry } from "./file.ts";
import type { Libraries } from "./plan-libraries.ts";

export interface PlanStep {
  readonly action: "create" | "change" | "publish" | "stop";
  /** `instance helpdesk`, `library status`, `connection support`, `trigger incident on support/SN`, `rule support/SN/incoming.ts`. */
  readonly what: string;
  readonly detail: string;
}

export interface Plan {
  /** What has to be done, in order; empty when the node is as the file says. */
  readonly steps: readonly PlanStep[];
  /** What the node has and the file does not name; it is left as it is. */
  readonly leftAlone: readonly string[];
  /** What the instances that were tried cannot do with this account, in words. */
  readonly notes: readonly string[];
  /** What cannot be done before somebody has signed in, in words. */
  readonly waiting: readonly string[];
}

export interface ApplyMeans {
  readonly db: Db;
  readonly vault: Vault;
  readonly compiler: RuleCompiler;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Runs pinned samples; only asked for when a rule that has some is to be published. Without it such a rule is refused. */
  readonly context?: () => Promise<SyncContext>;
}

export interface Wanted {
  readonly configuration: Configuration;
  readonly secrets: ReadonlyMap<string, ReadonlyMap<string, Secret>>;
  /** By instance, what the node obtained by itself. */
  readonly kept: KeptSecrets;
  readonly connectors: Map<string, Connector>;
  readonly libraries: Libraries;
  readonly problems: string[];
  /** What works, but not all of it: a right that is missing, an interface that is not there. */
  readonly notes: string[];
}

/** Secrets that the node obtained by itself and that a platform may replace while they are used. */
export interface KeptSecrets {
  /** Without those in whose place the configuration says something new now. */
  of(instance: string, given: ReadonlyMap<string, Secret> | undefined): Readonly<Record<string, string>>;
  keep(instance: string, name: string, value: string): Promise<void>;
  /** What took the place of a secret while it was tried just now. */
  replaced(instance: string, name: string): string | undefined;
}

/** Opens the secrets that were obtained by signing in with a browser. */
export async function loadKept({ db, vault }: Pick<ApplyMeans, "db" | "vault">): Promise<KeptSecrets> {
  const rows = await keptSecrets(db);
  const ids = new Map((await listInstances(db)).map(({ name, id }) => [name, id]));
  const replaced = new Map<string, string>();
  return {
    of(instance, given) {
      const still = rows.filter(({ instance: owner, name, given: before }) => {
        if (owner !== instance) return false;
        const now = given?.get(name);
        return now === undefined || before === vault.fingerprint(now, `${instance}/${name}`);
      });
      return openedSecrets(vault, instance, still);
    },
    replaced: (instance, name) => replaced.get(`${instance}/${name}`),
    async keep(instance, name, value) {
      replaced.set(`${instance}/${name}`, value);
      const id = ids.get(instance);
      if (id !== undefined) await keepSecret(db, vault, { id, name: instance }, name, value);
    },
  };
}

/** True for an instance to which a person has yet to sign in with a browser: nothing of it can be asked before. */
export function awaitsSignIn(wanted: Wanted, entry: InstanceEntry): boolean {
  const signIn = platforms[entry.platform]?.webSignIn?.(entry.config);
  const given = wanted.secrets.get(entry.name);
  const kept = wanted.kept.of(entry.name, given);
  return signIn?.gives.some((name) => kept[name] === undefined && given?.get(name) === undefined) ?? false;
}

export interface Present {
  readonly instances: ReadonlyMap<string, InstanceRow>;
  readonly sides: readonly SideRow[];
  readonly triggers: readonly TriggerRow[];
  readonly connections: ReadonlyMap<
    string,
    {
      readonly id: ConnectionId;
      readonly active: boolean;
      readonly keepRunsDays: number | null;
      readonly keepRuns: number | null;
      readonly limits: Readonly<Record<string, number>>;
    }
  >;
  fingerprints(): Promise<ReadonlyMap<InstanceId, ReadonlyMap<string, string>>>;
}

export async function loadPresent(db: Db): Promise<Present> {
  const instances = await listInstances(db);
  return {
    instances: new Map(instances.map((instance) => [instance.name, instance])),
    sides: await listSides(db),
    triggers: await listTriggers(db),
    connections: new Map((await listConnections(db)).map((connection) => [connection.name, connection])),
    async fingerprints() {
      const all = new Map<InstanceId, Map<string, string>>();
      for (const { id } of instances) all.set(id, new Map((await sealedSecretsOf(db, id)).map((secret) => [secret.name, secret.given ?? ""])));
      return all;
    },
  };
}

export function connectorOf(wanted: Wanted, name: string): Connector {
  const made = wanted.connectors.get(name);
  if (made !== undefined) return made;
  const entry = wanted.configuration.instances.find((instance) => instance.name === name);
  const platform = entry === undefined ? undefined : platforms[entry.platform];
  if (entry === undefined || platform === undefined) throw new Error(`There is no instance ${name}.`);
  const secrets = Object.fromEntries([...(wanted.secrets.get(name) ?? [])].map(([secretName, secret]) => [secretName, secret.reveal()]));
  const keepSecret = async (secretName: string, value: string): Promise<void> => await wanted.kept.keep(name, secretName, value);
  const connector = platform.connect(entry.config, { ...secrets, ...wanted.kept.of(name, wanted.secrets.get(name)) }, { keepSecret });
  wanted.connectors.set(name, connector);
  return connector;
}

export async function trySignIn(wanted: Wanted, entry: InstanceEntry): Promise<void> {
  if (awaitsSignIn(wanted, entry)) return;
  try {
    const { problems } = await connectorOf(wanted, entry.name).check();
    wanted.notes.push(...problems.map((problem) => `instance ${entry.name}: ${problem}`));
  } catch (error) {
    wanted.problems.push(`${wanted.configuration.path}: instances.${entry.name}: ${said(error)}`);
  }
}

/** A connector's error in one line with what to do; anything else is ours and goes on. */
export function said(error: unknown): string {
  if (!(error instanceof ConnectorError)) throw error;
  return error.advice === undefined ? error.message : `${error.message} ${error.advice}`;
}
