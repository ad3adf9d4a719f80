/** Rules checked, compiled and run as the engine does it: for tests of the rule language. */
import type { EntitySchema, FieldSchema, FieldType, Json } from "../../connectors/connector.ts";
import type { Completion, HelperAnswer, HelperCall, RuleError } from "../sandbox/completion.ts";
import type { Answer, Sandbox } from "../sandbox/sandbox.ts";
import { RuleCompiler } from "./compile.ts";
import { ruleDeclarations } from "./declarations.ts";
import { startRuleSandbox } from "./rule-sandbox.ts";
import {
  blankEntityView,
  type EntityView,
  type IncomingResult,
  type IncomingRunInput,
  incomingResult,
  type OutgoingResult,
  type OutgoingRunInput,
  outgoingResult,
  runInputAsJson,
} from "./run-input.ts";

export class Workbench {
  readonly compiler: RuleCompiler;
  readonly sandbox: Sandbox;
  readonly #codes = new Map<string, string>();

  static async start(): Promise<Workbench> {
    const [compiler, sandbox] = await Promise.all([RuleCompiler.start(), startRuleSandbox({ children: 1 })]);
    return new Workbench(compiler, sandbox);
  }

  private constructor(compiler: RuleCompiler, sandbox: Sandbox) {
    this.compiler = compiler;
    this.sandbox = sandbox;
  }

  async close(): Promise<void> {
    await this.compiler.close();
    await this.sandbox.close();
  }

  async outgoing(source: string, input: Partial<OutgoingRunInput> = {}, answer: Answer = noHelpers): Promise<OutgoingResult> {
    return outgoingResult.parse(valueIn(await this.run(source, { ...outgoingInput, ...input }, answer)));
  }

  async incoming(source: string, input: Partial<IncomingRunInput> = {}, answer: Answer = noHelpers): Promise<IncomingResult> {
    return incomingResult.parse(valueIn(await this.run(source, { ...incomingInput, ...input }, answer)));
  }

  /** The entity after an incoming rule. */
  async entityAfter(
    source: string,
    input: Partial<IncomingRunInput> = {},
    answer: Answer = noHelpers,
  ): Promise<Extract<IncomingResult, { kind: "changed" }>["entity"]> {
    const result = await this.incoming(source, input, answer);
    if (result.kind !== "changed") throw new Error(JSON.stringify(result));
    return result.entity;
  }

  async replica(
    source: string,
    input: Partial<OutgoingRunInput> = {},
    answer: Answer = noHelpers,
  ): Promise<Extract<OutgoingResult, { kind: "replica" }>["replica"]> {
    const result = await this.outgoing(source, input, answer);
    if (result.kind !== "replica") throw new Error(JSON.stringify(result));
    return result.replica;
  }

  async error(source: string, input: Partial<IncomingRunInput> = {}, answer: Answer = noHelpers): Promise<RuleError> {
    const completion = await this.run(source, { ...incomingInput, ...input }, answer);
    if (completion.ok) throw new Error(`it succeeded: ${JSON.stringify(completion.value)}`);
    return completion.error;
  }

  async run(source: string, input: OutgoingRunInput | IncomingRunInput, answer: Answer = noHelpers): Promise<Completion> {
    const code = await this.#compiled(source, input.direction, input.entity.entityType === "Task" ? schemas : schemas.slice(0, 1));
    return await this.sandbox.run({ versionId: `${input.direction} ${source}`, name: `support/SN/${input.direction}.ts`, code }, runInputAsJson(input), answer);
  }

  async #compiled(source: string, direction: "outgoing" | "incoming", entitySchemas: readonly EntitySchema[]): Promise<string> {
    const known = this.#codes.get(direction + source);
    if (known !== undefined) return known;
    const compilation = await this.compiler.compile({ name: "rule.ts", source, declarations: ruleDeclarations(direction, entitySchemas) });
    if (!compilation.ok) throw new Error(JSON.stringify(compilation.diagnostics, null, 2));
    this.#codes.set(direction + source, compilation.code);
    return compilation.code;
  }
}

export function field(name: string, type: FieldType, more: Partial<FieldSchema> = {}): FieldSchema {
  return { name, label: name, type, custom: false, nullable: true, readOnly: false, requiredOnCreate: false, ...more };
}

export function schema(entityType: string, fields: readonly FieldSchema[]): EntitySchema {
  return { entityType, label: entityType, fields, sampled: false, comments: true, internalComments: true, attachments: true };
}

export const schemas: readonly EntitySchema[] = [
  schema("Case", [
    field("Subject", "text", { label: "Subject", help: "What it is about", maxLength: 255 }),
    field("Priority", "choice", { closed: true, choices: ["High", "Medium", "Low"].map((value) => ({ value, label: value })) }),
    field("OwnerId", "reference", { references: ["User"] }),
    field("DueAt", "instant"),
    field("IsClosed", "boolean", { readOnly: true, nullable: false }),
    field("Score", "integer"),
  ]),
  schema("Task", [field("Id", "text", { readOnly: true, nullable: false }), field("Subject", "text"), field("Description", "longText")]),
];

export const aCase: EntityView = {
  ...blankEntityView,
  entityType: "Case",
  entityRef: { type: "Case", id: "500" },
  key: "00001000",
  url: "https://org.example/500",
  Subject: "Printer on fire",
  Priority: "High",
  OwnerId: { id: "005", display: "Alice", type: "User" },
};

const surroundings = {
  previous: null,
  firstSync: false,
  connection: { name: "support", local: "SF", remote: "SN" },
  mappings: {},
  now: 1_700_000_000_000,
  seed: "seed",
} as const;
export const outgoingInput: OutgoingRunInput = { direction: "outgoing", ...surroundings, entity: aCase };
export const incomingInput: IncomingRunInput = {
  direction: "incoming",
  ...surroundings,
  replica: {},
  entity: aCase,
  traces: { comments: {}, attachments: {} },
};

/** Answers calls from a table by name; what it does not know it does not find. */
export function answering(table: Readonly<Record<string, Json | ((...args: Json[]) => Json)>>, asked: HelperCall[] = []): Answer {
  return async (calls) =>
    calls.map((call): HelperAnswer => {
      asked.push(call);
      const entry = table[call.name] ?? null;
      return { id: call.id, ok: true, value: typeof entry === "function" ? entry(...call.args) : entry };
    });
}

async function noHelpers(calls: HelperCall[]): Promise<HelperAnswer[]> {
  return calls.map(({ id, name }) => ({ id, ok: false, error: { code: "UNEXPECTED", message: `${name} was not expected` } }));
}

function valueIn(completion: Completion): Json {
  if (!completion.ok) throw new Error(JSON.stringify(completion.error));
  return completion.value;
}
