import type { Allowance, Connector } from "../../connectors/connector.ts";
import { type ConnectOptions, platforms } from "../../connectors/platforms.ts";
import { canonicalText } from "../replica/canonical.ts";
import { keepSecret, openedSecrets, sealedSecretsOf } from "../store/configuration.ts";
import type { Db } from "../store/database.ts";
import type { InstanceId, Problem } from "../store/schema.ts";
import { Secret, type Vault } from "../store/secrets.ts";

/** One instance as it is configured now, with the connector that speaks to it. */
export interface LiveInstance {
  readonly id: InstanceId;
  readonly name: string;
  readonly platform: string;
  readonly pollIntervalMs: number;
  readonly stopped: Problem | null;
  readonly connector: Connector;
}

/** What was asked of an instance so far, and what it says that it allows. */
interface Usage {
  readonly calls: number;
  readonly allowance: Allowance | undefined;
}

/** The instances of a node, each with a connector. */
export type Instances = Pick<ConnectorPool, "instance" | "fresh" | "secretsOf" | "usage" | "hookKey">;

/**
 * Makes connectors on demand and keeps them while the instance's configuration and secrets stay as they are, so that a change
 * takes effect with the next piece of work, on every runner.
 */
export class ConnectorPool {
  readonly #db: Db;
  readonly #vault: Vault;
  readonly #kept = new Map<InstanceId, { readonly made: string; readonly connector: Connector; readonly secrets: readonly string[] }>();

  constructor(db: Db, vault: Vault) {
    this.#db = db;
    this.#vault = vault;
  }

  async instance(id: InstanceId): Promise<LiveInstance> {
    const row = await this.#db.selectFrom("instance").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
    const sealed = await sealedSecretsOf(this.#db, id);
    const made = canonicalText({
      platform: row.platform,
      config: row.config,
      secrets: Object.fromEntries(sealed.map((secret) => [secret.name, secret.fingerprint])),
    });
    let kept = this.#kept.get(id);
    if (kept?.made !== made) {
      const platform = platforms[row.platform];
      if (platform === undefined) throw new Error(`The instance ${row.name} is of the platform ${row.platform}, which this version does not know.`);
      const secrets = openedSecrets(this.#vault, row.name, sealed);
      // The one before is not closed here: work that began with it may still be under way. It holds no more than idle sockets.
      kept = { made, connector: platform.connect(row.config, secrets, this.#options(id, row.name)), secrets: Object.values(secrets) };
      this.#kept.set(id, kept);
    }
    return { id, name: row.name, platform: row.platform, pollIntervalMs: row.poll_interval_ms, stopped: row.stopped, connector: kept.connector };
  }

  /** A connector of its own that remembers nothing, for whoever has to see the platform as it is now. The caller closes it. */
  async fresh(id: InstanceId): Promise<Connector> {
    const row = await this.#db.selectFrom("instance").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
    const platform = platforms[row.platform];
    if (platform === undefined) throw new Error(`The instance ${row.name} is of the platform ${row.platform}, which this version does not know.`);
    const sealed = await sealedSecretsOf(this.#db, id);
    return platform.connect(row.config, openedSecrets(this.#vault, row.name, sealed), this.#options(id, row.name));
  }

  #options(id: InstanceId, instance: string): ConnectOptions {
    return { keepSecret: async (name, value) => await keepSecret(this.#db, this.#vault, { id, name: instance }, name, value) };
  }

  /** The texts that nothing recorded about this instance may hold. */
  async secretsOf(id: InstanceId): Promise<readonly string[]> {
    if (!this.#kept.has(id)) await this.instance(id);
    return this.#kept.get(id)?.secrets ?? [];
  }

  /** What keeps strangers from an instance's webhook address. It follows from the node's key, so that nothing has to be stored. */
  hookKey(id: InstanceId): string {
    return this.#vault.fingerprint(new Secret(id), "webhook address").slice(0, 40);
  }

  /** What was asked of platforms so far, by instance. */
  usage(): ReadonlyMap<InstanceId, Usage> {
    return new Map([...this.#kept].map(([id, { connector }]) => [id, { calls: connector.calls(), allowance: connector.allowance?.() }]));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#kept.values()].map(({ connector }) => connector.close()));
    this.#kept.clear();
  }
}
