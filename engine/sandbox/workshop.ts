/** A sandbox with the smallest prelude, for tests of the sandbox itself: `input`, `out` (the result), `call`, `end`, `console`. */
import type { Completion, HelperAnswer, HelperCall, Json } from "./completion.ts";
import type { RunLimits } from "./limits.ts";
import { type Answer, Sandbox, type SandboxOptions } from "./sandbox.ts";

const prelude = {
  entry: "prelude.ts",
  modules: {
    "prelude.ts": `
      export function prepare(input, host) {
        host.pin(input?.now ?? 0, "seed");
        const out = {};
        return {
          names: { input, out, call: (name, ...args) => host.call(name, args), end: (value) => host.end(value), console: host.console },
          finish: () => ({ label: "out", value: out, wrapping: 0 }),
        };
      }`,
  },
};

export async function startWorkshop(options: Omit<SandboxOptions, "prelude"> = {}): Promise<Sandbox> {
  return await Sandbox.start({ ...options, prelude });
}

let versions = 0;

/** Each text is a version of its own, unless one is named. */
export async function runText(
  sandbox: Sandbox,
  text: string,
  { input = {}, limits = {}, answer = echo, version, owner }: { input?: Json; limits?: RunLimits; answer?: Answer; version?: string; owner?: string } = {},
): Promise<Completion> {
  versions += 1;
  const program = { versionId: version ?? `v${versions}`, name: "support/SN/incoming.ts", code: moduleOf(text), ...(owner === undefined ? {} : { owner }) };
  return await sandbox.run(program, input, answer, limits);
}

/** As the compiler wraps it: our part on a line of its own. */
export function moduleOf(text: string): string {
  return `Object.freeze(import.meta);const $rule = ({ input, out, call, end, console }) => (async () => {\n${text}\n})();export default $rule;\n//# sourceURL=rule:main`;
}

/** Answers each call with its first argument; `fail` fails. */
export async function echo(calls: HelperCall[]): Promise<HelperAnswer[]> {
  return calls.map(({ id, name, args }) =>
    name === "fail" ? { id, ok: false, error: { code: "NOT_FOUND_OR_HIDDEN", message: "there is no such user" } } : { id, ok: true, value: args[0] ?? null },
  );
}
