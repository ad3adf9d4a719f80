import { ConnectorError } from "../../connectors/errors.ts";
import { RuleFolderError } from "../rules/samples/rule-folder.ts";
import { SampleError } from "../rules/samples/sample.ts";

/** What the commands for folders of rules end with. Stated in docs/configuration.md. */
export const exitCodes = {
  fine: 0,
  /** Rules do not check, samples differ, or something was refused for it. */
  refused: 1,
  /** Wrong use, or files that cannot be read. */
  misuse: 2,
  /** The node, its database or a platform cannot be reached. */
  unreachable: 3,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What a command has to say: lines for people, one document for programs. */
export interface Report {
  readonly exitCode: ExitCode;
  readonly lines: readonly string[];
  /** Printed with `--json` instead of the lines, with `ok` and `exitCode` in front. */
  readonly document: object;
}

/** Stops a command with a message for people. */
export class CommandProblem extends Error {
  override readonly name = "CommandProblem";
  readonly exitCode: ExitCode;
  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs a command, prints what it says and sets the exit code. */
export async function ruleCommand(json: boolean, work: () => Promise<Report>): Promise<void> {
  try {
    const { exitCode, lines, document } = await work();
    process.exitCode = exitCode;
    if (json) printJson({ ok: exitCode === exitCodes.fine, exitCode, ...document });
    else process.stdout.write(lines.map((line) => `${line}\n`).join(""));
  } catch (error) {
    const known = problemOf(error);
    if (known === undefined) throw error;
    process.exitCode = known.exitCode;
    if (json) printJson({ ok: false, exitCode: known.exitCode, error: known.message });
    else process.stderr.write(`${known.message}\n`);
  }
}

function printJson(document: object): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

function problemOf(error: unknown): { readonly exitCode: ExitCode; readonly message: string } | undefined {
  if (error instanceof CommandProblem) return error;
  if (error instanceof RuleFolderError || error instanceof SampleError) return { exitCode: exitCodes.misuse, message: error.message };
  if (error instanceof ConnectorError)
    return { exitCode: exitCodes.unreachable, message: error.advice === undefined ? error.message : `${error.message} ${error.advice}` };
  return undefined;
}
