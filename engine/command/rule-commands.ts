import { resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { checkCommand } from "./check.ts";
import { publishCommand } from "./publish.ts";
import { pullCommand } from "./pull.ts";
import { recipesCommand } from "./recipes.ts";
import { exitCodes, ruleCommand } from "./rule-command.ts";
import type { NodeChoice } from "./rules-of-node.ts";
import { testCommand } from "./test.ts";

interface Common {
  readonly data: string;
  readonly json?: boolean;
}

/** The commands for rules that are kept in a folder. */
export function addRuleCommands(program: Command, node: NodeChoice): void {
  const add = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .argument("[folder]", "the folder of the rules", "rules")
      .option("--json", "print one JSON document")
      .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? exitCodes.fine : exitCodes.misuse));
  const withData = (command: Command): Command => command.option("--data <folder>", "the node's data folder", node.data);
  const nodeAt = ({ data }: Common): NodeChoice => ({ ...node, data: resolve(data) });

  withData(add("pull", "fetch the rules that run on a node, with the types of their instances, into a folder"))
    .option("--samples <number>", "write the last recorded runs of each rule as samples", number, 0)
    .option("--force", "take the node's text where a file was changed here")
    .action(async (folder: string, options: Common & { samples: number; force?: boolean }) => {
      await ruleCommand(
        options.json === true,
        async () => await pullCommand({ folder, node: nodeAt(options), samples: options.samples, force: options.force === true }),
      );
    });

  program
    .command("recipes")
    .description("list the cookbook, show one recipe, or copy it into a folder of rules")
    .argument("[name]", "the recipe")
    .option("--from <connection/side>", "the side that sends")
    .option("--to <connection/side>", "the side that receives")
    .option("--folder <folder>", "the folder of the rules", "rules")
    .option("--force", "replace rules and samples that are there")
    .option("--json", "print one JSON document")
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? exitCodes.fine : exitCodes.misuse))
    .action(async (name: string | undefined, options: { from?: string; to?: string; folder: string; force?: boolean; json?: boolean }) => {
      const { from, to, folder, force } = options;
      await ruleCommand(options.json === true, async () => await recipesCommand({ name, from, to, folder, force: force === true }));
    });

  withData(add("check", "check the rules of a folder against the pulled types"))
    .option("--live", "check against the fields that the node's instances have now")
    .action(async (folder: string, options: Common & { live?: boolean }) => {
      await ruleCommand(options.json === true, async () => await checkCommand({ folder, live: options.live === true ? nodeAt(options) : undefined }));
    });

  add("test", "check the rules of a folder and run their samples")
    .argument("[filter]", "only samples whose connection/side/name.json holds this text")
    .option("--update", "write what the rules give now as what is expected")
    .action(async (folder: string, filter: string | undefined, options: Common & { update?: boolean }) => {
      await ruleCommand(options.json === true, async () => await testCommand({ folder, filter, update: options.update === true }));
    });

  withData(add("publish", "publish what differs from what the node runs, if it checks and all pinned samples pass"))
    .requiredOption("--note <text>", "what changes and why; kept with the versions")
    .option("--despite-failures <why>", "publish although pinned samples fail; the reason is kept with the versions")
    .option("--force", "publish over versions that the files are not based on")
    .option("--dry-run", "do everything but publish")
    .action(async (folder: string, options: Common & { note: string; despiteFailures?: string; force?: boolean; dryRun?: boolean }) => {
      await ruleCommand(
        options.json === true,
        async () =>
          await publishCommand({
            folder,
            node: nodeAt(options),
            note: options.note,
            despiteFailures: options.despiteFailures,
            force: options.force === true,
            dryRun: options.dryRun === true,
          }),
      );
    });
}

function number(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError("That is a number from 0 to 9999.");
  return Number(text);
}
