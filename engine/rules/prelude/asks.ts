import type { RunHost } from "../../sandbox/guest/runs.ts";
import { refOf } from "./effects.ts";

type Ask = (...args: unknown[]) => Promise<unknown>;

export interface Asks {
  readonly users: { readonly byEmail: Ask; readonly byUsername: Ask };
  readonly lookup: { readonly one: Ask; readonly many: Ask; readonly get: Ask };
  readonly platform: { readonly get: Ask; readonly request: Ask };
  readonly twins: { readonly localFor: Ask; readonly isSynced: Ask };
}

/** The helpers that need the host. What it does not find it answers with null, which a rule sees as undefined. */
export function asksOf(host: RunHost): Asks {
  const ask = (name: string, ...args: unknown[]): Promise<unknown> => {
    while (args.length > 0 && args[args.length - 1] === undefined) args.pop();
    return host.call(name, args);
  };
  const find = (name: string, ...args: unknown[]): Promise<unknown> => ask(name, ...args).then((found) => found ?? undefined);
  return {
    users: {
      // Asking for nobody is common (`replica.assignee?.email`) and has one answer.
      byEmail: (email: unknown) => (isNothing(email) ? Promise.resolve(undefined) : find("users.byEmail", email)),
      byUsername: (name: unknown) => (isNothing(name) ? Promise.resolve(undefined) : find("users.byUsername", name)),
    },
    lookup: {
      one: (type: unknown, where: unknown) => find("lookup.one", type, where),
      many: (type: unknown, where: unknown, limit?: unknown) => ask("lookup.many", type, where, limit),
      get: (type: unknown, id: unknown) => (isNothing(id) ? Promise.resolve(undefined) : find("lookup.get", type, id)),
    },
    platform: {
      get: (path: unknown) => ask("platform.get", path),
      request: (method: unknown, path: unknown, body?: unknown) => ask("platform.request", method, path, body),
    },
    twins: {
      localFor: (remoteKey: unknown, type?: unknown) => (isNothing(remoteKey) ? Promise.resolve(undefined) : find("twins.localFor", remoteKey, type)),
      isSynced: (target: unknown) => ask("twins.isSynced", refOf(target, "twins.isSynced")),
    },
  };
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}
