import type { RuleCompiler } from "../rules/compile.ts";
import { type InstanceRow, listInstances, listSides, type SideRow } from "../store/configuration.ts";
import type { Db } from "../store/database.ts";
import type { Direction, TwinId } from "../store/schema.ts";
import type { SyncContext } from "./context.ts";
import { startSync } from "./effects.ts";
import { publishText } from "./publishing.ts";
import { UnknownName } from "./unknown-name.ts";

/** An instance by its name. Throws {@link UnknownName} with the names that there are. */
export async function instanceNamed(db: Db, name: string): Promise<InstanceRow> {
  const instances = await listInstances(db);
  const instance = instances.find((row) => row.name === name);
  if (instance !== undefined) return instance;
  const names = instances.map((row) => row.name);
  throw new UnknownName(
    `There is no instance ${name}. ${names.length === 0 ? "The node has none yet: isobridge apply makes them." : `The node has ${names.join(", ")}.`}`,
  );
}

export async function sideNamed(context: SyncContext, connection: string, side: string): Promise<SideRow> {
  const sides = (await listSides(context.db)).filter((row) => row.connectionName === connection);
  if (sides.length === 0) throw new UnknownName(`There is no connection ${connection}.`);
  const found = sides.find((row) => row.name === side);
  if (found === undefined)
    throw new UnknownName(`The connection ${connection} has no side ${side}; its sides are ${sides.map((row) => row.name).join(" and ")}.`);
  return found;
}

/**
 * Checks a rule against the live schema of its side and publishes it as the next version. Throws RuleRefused when it does not
 * check, SamplesFail when pinned samples fail and `despite` does not say why to publish all the same, OutOfDate when another
 * version than `basedOn` (if given) is active.
 */
export async function publishTo(
  context: SyncContext,
  compiler: RuleCompiler,
  rule: {
    readonly connection: string;
    readonly side: string;
    readonly direction: Direction;
    readonly source: string;
    readonly note: string;
    readonly author: string;
    readonly despite?: string | undefined;
    readonly basedOn?: number | null | undefined;
  },
): Promise<{ readonly id: string; readonly number: number }> {
  const side = await sideNamed(context, rule.connection, rule.side);
  return await publishText(context, async () => compiler, side, rule, rule);
}

/** Finds a record on a side's platform and queues a look at it. Returns its twin, started if there was none. */
export async function syncByKey(
  context: SyncContext,
  wanted: { readonly connection: string; readonly side: string; readonly entityType: string; readonly key: string },
): Promise<TwinId> {
  const side = await sideNamed(context, wanted.connection, wanted.side);
  const { connector, name } = await context.connectors.instance(side.instanceId);
  const ref = await connector.findByKey(wanted.entityType, wanted.key);
  if (ref === undefined) throw new UnknownName(`${name} has no ${wanted.entityType} ${wanted.key}, or the account may not see it.`);
  return await context.db.transaction().execute(async (tx) => {
    const twinId = await startSync(context, tx, side, ref);
    return twinId;
  });
}
