import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Direction, ruleDeclarations } from "../rules/declarations.ts";
import { directions, mappingsPath, typesPath } from "../rules/samples/rule-folder.ts";
import type { OpenNode } from "../server/node.ts";
import { runSettings, type SideRow } from "../store/configuration.ts";
import { activeLibraries, libraryVersions } from "../store/libraries.ts";
import { activeSource } from "../store/rule-versions.ts";
import { editorFiles } from "./editor-files.ts";
import { recordedSamples } from "./recorded-samples.ts";
import { exitCodes, type Report } from "./rule-command.ts";
import { liveSchemas, type NodeChoice, sidesByName, withNode } from "./rules-of-node.ts";
import { readBasis, type VersionText, versionsOf, writeBasis } from "./version-basis.ts";

export interface PullOptions {
  readonly folder: string;
  readonly node: NodeChoice;
  /** Take the node's text where a file was changed here. */
  readonly force: boolean;
  /** How many of the last recorded runs of each rule become sample files. */
  readonly samples: number;
}

interface PulledText {
  readonly file: string;
  readonly version: number;
  readonly what: "new" | "same" | "updated" | "replaced" | "kept" | "conflict";
  readonly why: string;
}

/** Fetches the rules that run on a node and the libraries that they share, with the types of their instances, into a folder. */
export async function pullCommand({ folder, node: choice, force, samples }: PullOptions): Promise<Report> {
  return await withNode(choice, async (node) => {
    const rules: PulledText[] = [];
    const libraries: PulledText[] = [];
    for (const active of await activeLibraries(node.db)) {
      const place = { folder: join(folder, "lib"), name: active.library };
      libraries.push(await pullText(place, active, async () => await libraryVersions(node.db, active.library), force));
    }
    const written: string[] = [];
    const notes: string[] = [];
    for (const side of (await sidesByName(node)).values()) {
      const path = join(folder, side.connectionName, side.name);
      const schemas = await liveSchemas(node, side);
      const { mappings } = await runSettings(node.db, side.id);
      for (const direction of directions) {
        await write(typesPath(path, direction), ruleDeclarations(direction, schemas, mappings));
        const pulled = await pullRule(node, side, path, direction, force);
        if (pulled !== undefined) rules.push(pulled);
      }
      await write(mappingsPath(path), `${JSON.stringify(mappings, null, 2)}\n`);
      for (const [name, text] of editorFiles()) await writeMissing(join(path, name), text, force);
      if (samples === 0) continue;
      for (const direction of directions) {
        const recorded = await recordedSamples(node.db, side, direction, samples, join(path, "samples"));
        written.push(...recorded.written);
        notes.push(...recorded.notes);
      }
    }
    return report(folder, { rules, libraries }, written, notes);
  });
}

async function pullRule(node: OpenNode, side: SideRow, folder: string, direction: Direction, force: boolean): Promise<PulledText | undefined> {
  const active = await activeSource(node.db, side.id, direction);
  if (active === undefined) return undefined;
  return await pullText({ folder, name: direction }, active, async () => await versionsOf(node.db, side, direction), force);
}

/** Takes the text that is active on the node into its file, unless the file was changed here. */
async function pullText(
  { folder, name }: { readonly folder: string; readonly name: string },
  active: { readonly number: number; readonly source: string },
  versionsOfText: () => Promise<readonly VersionText[]>,
  force: boolean,
): Promise<PulledText> {
  const file = join(folder, `${name}.ts`);
  const present = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  const take = async (what: PulledText["what"], why: string): Promise<PulledText> => {
    await write(file, active.source);
    await writeBasis(folder, name, active.number);
    return { file, version: active.number, what, why };
  };
  if (present === undefined) return await take("new", `version ${active.number}`);
  if (sameText(present, active.source)) {
    await writeBasis(folder, name, active.number);
    return { file, version: active.number, what: "same", why: `is version ${active.number}, which the node runs` };
  }
  const versions = await versionsOfText();
  const known = versions.find(({ source }) => sameText(source, present));
  if (known !== undefined) return await take("updated", `was version ${known.number}, is version ${active.number} now`);
  if (force) return await take("replaced", `was changed here; is version ${active.number} now`);
  const basis = await readBasis(folder, name);
  if (basis === active.number || versions.find(({ number }) => number === basis)?.source === active.source) {
    return { file, version: active.number, what: "kept", why: `was changed here and stays; the node runs version ${active.number}, which it is based on` };
  }
  const now = versions.find(({ number }) => number === active.number);
  const words = now === undefined ? "" : ` (${now.author}: ${now.note})`;
  return {
    file,
    version: active.number,
    what: "conflict",
    why: `was changed here and stays, but the node runs version ${active.number}${words}, which it is not based on; --force takes that instead`,
  };
}

/** Git may have turned line ends for the editor's sake. */
export function sameText(a: string, b: string): boolean {
  return a === b || a.replaceAll("\r\n", "\n") === b.replaceAll("\r\n", "\n");
}

/** Settings that somebody may have made fit their own project. */
async function writeMissing(path: string, text: string, force: boolean): Promise<void> {
  if (force || !existsSync(path)) await write(path, text);
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

interface Pulled {
  readonly rules: readonly PulledText[];
  readonly libraries: readonly PulledText[];
}

function report(folder: string, { rules, libraries }: Pulled, samples: readonly string[], notes: readonly string[]): Report {
  const conflicts = [...libraries, ...rules].filter(({ what }) => what === "conflict").length;
  const lines = [...libraries, ...rules].map(({ file, what, why }) => `${what.padEnd(8)}  ${file} ${why}`);
  lines.push(...samples.map((path) => `sample    ${path}`), ...notes);
  if (rules.length === 0) lines.push("The node has no rules: it has no connections yet.");
  else if (conflicts === 0) lines.push(`Next: isobridge check ${folder}`);
  return { exitCode: conflicts === 0 ? exitCodes.fine : exitCodes.refused, lines, document: { rules, libraries, samples, notes } };
}
