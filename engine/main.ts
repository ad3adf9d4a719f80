import { resolve } from "node:path";
import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { pino } from "pino";
import { applyCommand } from "./command/apply.ts";
import { instanceCommand } from "./command/instance.ts";
import { addRuleCommands } from "./command/rule-commands.ts";
import { runnerCommand } from "./command/runner.ts";
import { serveCommand } from "./command/serve.ts";
import { signInCommand } from "./command/sign-in.ts";
import { simulateCommand } from "./command/simulate.ts";
import { startCommand } from "./command/start.ts";
import { tokenCommand } from "./command/token.ts";
import { type SimulatedPlatform, simulatedPlatforms } from "./demo/simulate.ts";
import { type Role, roles } from "./store/schema.ts";

const program = new Command("isobridge")
  .description("Keeps records in step between Salesforce, ServiceNow and other trackers.")
  .version("0.1.0")
  .showHelpAfterError();

function port(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0 || number > 65_535) throw new InvalidArgumentError("A port is a number from 0 to 65535; 0 takes a free one.");
  return number;
}

function count(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0 || number > 1_000_000) throw new InvalidArgumentError("A number of records is a whole number up to 1 000 000.");
  return number;
}

function dataFolder(fallback: string): string {
  const given = process.env["ISOBRIDGE_DATA"];
  return given === undefined || given === "" ? fallback : given;
}

const environment = { databaseUrl: process.env["DATABASE_URL"], key: process.env["ISOBRIDGE_KEY"] };
const log = pino({ level: process.env["ISOBRIDGE_LOG"] ?? "info" }, pino.destination({ dest: 2, sync: true }));

program
  .command("start")
  .description("show the product at work: a node between a simulated Salesforce org and a simulated ServiceNow instance")
  .option("--once", "check each fact by asking the simulators, print a table, exit 0 only if all hold")
  .option("--data <folder>", "where to keep the demonstration's data", dataFolder(".isobridge/demo"))
  .option("--port <port>", "port of the node's API (default: 8480, or a free one if that is taken)", port)
  .action(async (options: { once?: boolean; data: string; port?: number }) => {
    await startCommand({ once: options.once === true, folder: resolve(options.data), port: options.port, ...environment });
  });

program
  .command("serve")
  .description("run a node: API, polls and one runner")
  .option("--data <folder>", "where to keep the database and the node's key", dataFolder(".isobridge/node"))
  .option("--port <port>", "port of the API", port, 8480)
  .option("--host <address>", "address to listen on", "127.0.0.1")
  .action(async (options: { data: string; port: number; host: string }) => {
    await serveCommand({ folder: resolve(options.data), port: options.port, host: options.host, log, ...environment });
  });

program
  .command("runner")
  .description("run one more runner on the database of a node that is up")
  .option("--data <folder>", "the node's data folder", dataFolder(".isobridge/node"))
  .action(async (options: { data: string }) => {
    await runnerCommand({ folder: resolve(options.data), log, ...environment });
  });

program
  .command("apply")
  .description("bring the node to what a configuration file says; applying it twice changes nothing")
  .argument("<file>", "the configuration, for example isobridge.yaml")
  .option("--dry-run", "print the plan and change nothing")
  .option("--data <folder>", "the node's data folder", dataFolder(".isobridge/node"))
  .action(async (file: string, options: { dryRun?: boolean; data: string }) => {
    await applyCommand({ file, dryRun: options.dryRun === true, folder: resolve(options.data), ...environment });
  });

program
  .command("token")
  .description("make an API token and print it; one of the same name stops working")
  .option("--name <name>", "what the token is for", "operator")
  .addOption(new Option("--role <role>", "what it may do").choices(roles).default("admin"))
  .option("--data <folder>", "the node's data folder", dataFolder(".isobridge/node"))
  .action(async (options: { name: string; role: Role; data: string }) => {
    await tokenCommand({ name: options.name, role: options.role, folder: resolve(options.data), ...environment });
  });

program
  .command("instance")
  .description("check an instance of the node: who is signed in, what is missing, where its platform's calls go")
  .argument("<name>", "the instance's name")
  .option("--data <folder>", "the node's data folder", dataFolder(".isobridge/node"))
  .action(async (name: string, options: { data: string }) => {
    await instanceCommand({ name, folder: resolve(options.data), ...environment });
  });

program
  .command("sign-in")
  .description("sign in to an instance with a browser, where its auth is web-server; prints the address to open")
  .argument("<instance>", "the instance's name")
  .option("--node <url>", "where a browser reaches the node", "http://127.0.0.1:8480")
  .option("--data <folder>", "the node's data folder", dataFolder(".isobridge/node"))
  .action(async (instance: string, options: { node: string; data: string }) => {
    await signInCommand({ instance, node: options.node, folder: resolve(options.data), ...environment });
  });

program
  .command("simulate")
  .description("run a simulated platform by itself, to try rules and clients against")
  .addArgument(new Argument("<platform>", "which one").choices(simulatedPlatforms))
  .option("--port <port>", "port to listen on; 0 takes a free one", port, 0)
  .option("--host <address>", "address to listen on", "127.0.0.1")
  .option("--data <folder>", "keep its records here; without it they end with the process")
  .option("--records <n>", "cases or incidents to begin with, where there are none", count, 0)
  .action(async (platform: SimulatedPlatform, options: { port: number; host: string; data?: string; records: number }) => {
    const folder = options.data === undefined ? undefined : resolve(options.data);
    await simulateCommand({ platform, host: options.host, port: options.port, folder, records: options.records });
  });

addRuleCommands(program, { data: dataFolder(".isobridge/node"), ...environment });

try {
  await program.parseAsync();
} catch (error) {
  // What is thrown up to here is written for people; a stack would only hide it. Defects keep theirs.
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${message}\n`);
  if (process.env["ISOBRIDGE_LOG"] === "debug" && error instanceof Error) process.stderr.write(`${error.stack ?? ""}\n`);
  process.exitCode = 1;
}
