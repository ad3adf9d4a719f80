import { existsSync } from "node:fs";
import { pino } from "pino";
import type { EntitySchema } from "../../connectors/connector.ts";
import { ConnectorError } from "../../connectors/errors.ts";
import { type OpenNode, openNode } from "../server/node.ts";
import { listSides, type SideRow } from "../store/configuration.ts";
import { schemasOfSide } from "../sync/candidate.ts";
import { CommandProblem, exitCodes } from "./rule-command.ts";

export interface NodeChoice {
  /** The node's data folder. */
  readonly data: string;
  readonly databaseUrl?: string | undefined;
  readonly key?: string | undefined;
}

/** Opens a node, or joins the one that runs on the folder, for as long as the work takes. Makes none: a command about rules that finds no node was given the wrong place. */
export async function withNode<Result>(choice: NodeChoice, work: (node: OpenNode) => Promise<Result>): Promise<Result> {
  const hasDatabase = choice.databaseUrl !== undefined && choice.databaseUrl !== "";
  if (!hasDatabase && !existsSync(choice.data)) {
    throw new CommandProblem(
      exitCodes.unreachable,
      `There is no node in ${choice.data}. Name its data folder with --data, or make one with \`isobridge apply\`.`,
    );
  }
  const node = await openNode({ folder: choice.data, databaseUrl: choice.databaseUrl, key: choice.key, join: true, log: pino({ level: "silent" }) }).catch(
    (error: Error) => {
      throw new CommandProblem(exitCodes.unreachable, error.message);
    },
  );
  try {
    return await work(node);
  } finally {
    await node.close();
  }
}

/** What the rules of a side are checked against now. Throws {@link CommandProblem} when its platform cannot be asked. */
export async function liveSchemas(node: OpenNode, side: SideRow): Promise<EntitySchema[]> {
  try {
    return await schemasOfSide(await node.context(), side);
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    throw new CommandProblem(
      exitCodes.unreachable,
      `${side.connectionName}/${side.name}: the instance cannot be asked for its fields: ${error.message}${error.advice === undefined ? "" : ` ${error.advice}`}`,
    );
  }
}

/** The sides of a node by `connection/side`. */
export async function sidesByName(node: OpenNode): Promise<Map<string, SideRow>> {
  return new Map((await listSides(node.db)).map((side) => [`${side.connectionName}/${side.name}`, side]));
}

/** The node's side for each folder. Throws {@link CommandProblem} that names those which the node does not have. */
export function matchSides<Folder extends { readonly connection: string; readonly side: string }>(
  sides: ReadonlyMap<string, SideRow>,
  folders: readonly Folder[],
): (Folder & { readonly row: SideRow })[] {
  const matched = folders.flatMap((folder) => {
    const row = sides.get(`${folder.connection}/${folder.side}`);
    return row === undefined ? [] : [{ ...folder, row }];
  });
  if (matched.length < folders.length) {
    const unknown = folders.filter(({ connection, side }) => !sides.has(`${connection}/${side}`)).map(({ connection, side }) => `${connection}/${side}`);
    throw new CommandProblem(
      exitCodes.misuse,
      `The node has no side ${unknown.join(", ")}. It has ${[...sides.keys()].join(", ") || "none"}: rename the folder, or add the connection with \`isobridge apply\`.`,
    );
  }
  return matched;
}
