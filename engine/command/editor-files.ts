import { directions } from "../rules/samples/rule-folder.ts";

/**
 * The files that let an editor check a side's rules as the engine does. Two projects, because `entity` and `replica` mean other things in each
 * direction; editors find the one that a file belongs to through the references of the first. What no setting can say is that a rule may `return`
 * at top level: an editor marks it (TS1108), `isobridge check` does not.
 */
export function editorFiles(): [name: string, text: string][] {
  const projects = directions.map((direction): [string, string] => [
    `tsconfig.${direction}.json`,
    json({
      // `composite` is what a referenced project has to have.
      compilerOptions: { ...ruleCompilerOptions, composite: true, tsBuildInfoFile: `types/${direction}.tsbuildinfo`, paths: { "lib/*": ["../../lib/*.ts"] } },
      files: [`${direction}.ts`, `types/${direction}.d.ts`],
      include: ["../../lib/*.ts"],
    }),
  ]);
  return [["tsconfig.json", json({ files: [], references: directions.map((direction) => ({ path: `./tsconfig.${direction}.json` })) })], ...projects];
}

/** Those of the engine's own checker. */
const ruleCompilerOptions = {
  target: "es2023",
  lib: ["es2023"],
  module: "esnext",
  moduleDetection: "force",
  strict: true,
  noImplicitAny: false,
  noImplicitThis: false,
  useUnknownInCatchVariables: false,
  erasableSyntaxOnly: true,
  allowUnreachableCode: true,
  allowUnusedLabels: true,
  types: [],
  noEmit: true,
  skipLibCheck: true,
};

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
