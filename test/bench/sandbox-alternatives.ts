/**
 * The same mapping of a 2 KB replica by other means, for sandbox.bench.ts, which starts this once with a compiler in V8 and once without (`--jitless`, where Node
 * cannot strip types: it is started as text). On standard input: the body of the function, and what it is given.
 * None of these but the isolates keeps anything in, and none of them is killed from outside.
 */
import { readFileSync } from "node:fs";
import { createContext, runInContext } from "node:vm";
import ivm from "isolated-vm";

const rows: [string, { wall: number; cpu: number }][] = [];
const { nestedFunction, input, flatFunction, flatInput } = JSON.parse(readFileSync(0, "utf8")) as Record<"nestedFunction" | "flatFunction", string> &
  Record<"input" | "flatInput", unknown>;
const functionText = `(text) => {${nestedFunction}}`;

const inProcess = runInContext(functionText, createContext({})) as (text: string) => string;
// As the engine would do it: JSON on both sides of the call.
const plain = new Function("text", nestedFunction) as (text: string) => string;
const plainFlat = new Function("text", flatFunction) as (text: string) => string;
rows.push(["in process, JSON in and out: 20 fields", measured(10_000, () => JSON.parse(plainFlat(JSON.stringify(flatInput))))]);
rows.push(["in process, JSON in and out: 75 keys", measured(10_000, () => JSON.parse(plain(JSON.stringify(input))))]);
rows.push(["node:vm, warm context (no boundary)", measured(10_000, () => JSON.parse(inProcess(JSON.stringify(input))))]);
rows.push([
  "node:vm, fresh context (no boundary)",
  measured(200, () => JSON.parse((runInContext(functionText, createContext({})) as typeof inProcess)(JSON.stringify(input)))),
]);

const warm = new ivm.Isolate({ memoryLimit: 64 });
const warmContext = warm.createContextSync();
const warmFunction = warmContext.evalSync(functionText, { reference: true }) as ivm.Reference;
rows.push([
  "isolated-vm, warm context (state stays)",
  measured(10_000, () => JSON.parse(warmFunction.applySync(undefined, [JSON.stringify(input)], { timeout: 1_000 }) as string)),
]);
rows.push([
  "isolated-vm, fresh context",
  measured(300, () => {
    const context = warm.createContextSync();
    const made = context.evalSync(functionText, { reference: true }) as ivm.Reference;
    JSON.parse(made.applySync(undefined, [JSON.stringify(input)], { timeout: 1_000 }) as string);
    made.release();
    context.release();
  }),
]);
rows.push([
  "isolated-vm, fresh isolate",
  measured(150, () => {
    const isolate = new ivm.Isolate({ memoryLimit: 64 });
    const made = isolate.createContextSync().evalSync(functionText, { reference: true }) as ivm.Reference;
    JSON.parse(made.applySync(undefined, [JSON.stringify(input)], { timeout: 1_000 }) as string);
    isolate.dispose();
  }),
]);
if ("WebAssembly" in globalThis) await quickjs();
process.stdout.write(JSON.stringify(rows), () => process.kill(process.pid, "SIGKILL"));

async function quickjs(): Promise<void> {
  const { getQuickJS } = await import("quickjs-emscripten");
  const engine = await getQuickJS();
  const call = (context: ReturnType<typeof engine.newContext>): void => {
    const made = context.unwrapResult(context.evalCode(functionText));
    const text = context.newString(JSON.stringify(input));
    const answer = context.unwrapResult(context.callFunction(made, context.undefined, text));
    JSON.parse(context.getString(answer));
    for (const handle of [made, text, answer]) handle.dispose();
  };
  const kept = engine.newContext();
  rows.push(["quickjs-emscripten, warm context (state stays)", measured(2_000, () => call(kept))]);
  kept.dispose();
  rows.push([
    "quickjs-emscripten, fresh context",
    measured(300, () => {
      const context = engine.newContext();
      call(context);
      context.dispose();
    }),
  ]);
}

/** Microseconds of wall and of computing per call of `once`. */
function measured(times: number, once: () => void): { wall: number; cpu: number } {
  for (let index = 0; index < Math.min(times, 300); index += 1) once();
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  for (let index = 0; index < times; index += 1) once();
  const wall = ((performance.now() - startedAt) * 1_000) / times;
  const { user, system } = process.cpuUsage(cpu);
  return { wall, cpu: (user + system) / times };
}
