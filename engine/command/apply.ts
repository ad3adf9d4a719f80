import { userInfo } from "node:os";
import { pino } from "pino";
import { applyConfiguration } from "../configuration/apply.ts";
import { readConfiguration } from "../configuration/file.ts";
import type { Plan } from "../configuration/plan.ts";
import { openNode } from "../server/node.ts";

/** Applies a configuration file and prints what was done, or with `dryRun` what would be. */
export async function applyCommand(options: {
  readonly file: string;
  readonly dryRun: boolean;
  readonly folder: string;
  readonly databaseUrl?: string | undefined;
  readonly key?: string | undefined;
}): Promise<void> {
  const configuration = await readConfiguration(options.file);
  const node = await openNode({ ...options, join: true, log: pino({ level: "silent" }) });
  try {
    const means = { db: node.db, vault: node.vault, compiler: await node.compiler(), environment: process.env, context: node.context };
    const plan = await applyConfiguration(means, configuration, { dryRun: options.dryRun, author: userInfo().username });
    process.stdout.write(planText(plan, options.dryRun));
  } finally {
    await node.close();
  }
}

/** The plan in lines for people. */
function planText(plan: Plan, dryRun: boolean): string {
  const lines = plan.steps.map((step) => `  ${step.action.padEnd(8)} ${step.what}: ${step.detail}`);
  const head = plan.steps.length === 0 ? "Nothing to do: the node is as the file says." : dryRun ? "This would be done:" : "Done:";
  const rest = plan.leftAlone.map((what) => `  The file does not name ${what}; it is left as it is.`);
  const waiting = plan.waiting.map((what) => `  Not yet: ${what}.`);
  const notes = plan.notes.map((what) => `  Note: ${what}`);
  return `${[head, ...lines, ...rest, ...notes, ...waiting].join("\n")}\n`;
}
