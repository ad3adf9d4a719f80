/**
 * What a rule finds around it. Runs inside the isolate, whose built-ins are frozen by then, so ordinary methods may be used;
 * a rule's own objects are its own and may hold anything. Every object made here belongs to one run: nothing is shared between runs.
 */
import type { Prepare, RunHost } from "../../sandbox/guest/runs.ts";
import type { IncomingRunInput, OutgoingRunInput } from "../run-input.ts";
import { asksOf } from "./asks.ts";
import { attachmentsOf } from "./attachments.ts";
import { changesBetween } from "./changes.ts";
import { commentsOf } from "./comments.ts";
import { effectsOf } from "./effects.ts";
import { mappingOf } from "./mapping.ts";
import { textOf } from "./text.ts";

type Names = Record<string, unknown>;

/** Builds the names for one run and gathers its result. */
export const prepare: Prepare = (given, host) => {
  // Written by the engine: the one input here that needs no doubt.
  const input = given as OutgoingRunInput | IncomingRunInput;
  host.pin(input.now, input.seed);
  return input.direction === "outgoing" ? prepareOutgoing(input, host) : prepareIncoming(input, host);
};

function prepareOutgoing(input: OutgoingRunInput, host: RunHost): ReturnType<Prepare> {
  const replica: Names = {};
  const effects = effectsOf();
  const names = {
    ...namesOfBoth(input, host, effects.names),
    replica,
    comments: onIncomingOnly("comments", ["merge", "add"]),
    attachments: onIncomingOnly("attachments", ["merge"]),
    linkTo: onIncoming("linkTo"),
    status: onIncoming("status"),
  };
  return { names: withOldNames(names), finish: () => ({ label: "", wrapping: 1, value: { kind: "replica", replica, effects: effects.result() } }) };
}

function prepareIncoming(input: IncomingRunInput, host: RunHost): ReturnType<Prepare> {
  // The engine gives each run a copy of its own, so the rule may change it.
  const { entity } = input;
  const effects = effectsOf();
  let wanted: string | undefined;
  const names = {
    ...namesOfBoth(input, host, effects.names),
    replica: input.replica,
    changes: changesBetween(input.previous, input.replica),
    comments: commentsOf(input),
    attachments: attachmentsOf(input),
    status(name: unknown): void {
      wanted = nameOf(name) ?? wanted;
    },
  };
  return {
    names: withOldNames(names),
    finish: () => ({ label: "", wrapping: 1, value: { kind: "changed", entity, status: wanted, effects: effects.result() } }),
  };
}

function namesOfBoth(input: OutgoingRunInput | IncomingRunInput, host: RunHost, effects: Names): Names {
  return {
    entity: input.entity,
    previous: input.previous ?? undefined,
    firstSync: input.firstSync,
    connection: input.connection,
    console: host.console,
    worklogs: { merge: () => refuse("worklogs.merge: this platform has no worklogs") },
    mapping: mappingOf(input.direction, input.mappings),
    text: textOf(),
    ...asksOf(host),
    ...effects,
    skip: (why: unknown): never => host.end({ kind: "skipped", why: sentence(why) }),
    fail: (why: unknown): never => host.end({ kind: "failed", why: sentence(why) }),
    waitFor(remoteKey: unknown): never {
      if (typeof remoteKey !== "string" || remoteKey === "") throw new TypeError("waitFor needs the key of a remote record");
      return host.end({ kind: "waiting", remoteKey });
    },
  };
}

/** The names that scripts of other products use, so that they port line by line. */
function withOldNames(names: Names): Names {
  // Each is what `namesOfBoth` or its caller has just put there.
  const { comments, attachments, users, twins, platform, syncBack } = names as {
    comments: { merge(...args: unknown[]): unknown };
    attachments: { merge(...args: unknown[]): unknown };
    users: { byEmail(email: unknown): unknown; byUsername(name: unknown): unknown };
    twins: { localFor(key: unknown, type?: unknown): Promise<{ key?: unknown } | undefined> };
    platform: { get(path: unknown): unknown };
    syncBack(): void;
  };
  return {
    ...names,
    issue: names.entity,
    commentHelper: { mergeComments: (...args: unknown[]) => comments.merge(...args) },
    attachmentHelper: { mergeAttachments: (...args: unknown[]) => attachments.merge(...args) },
    nodeHelper: { getUserByEmail: (email: unknown) => users.byEmail(email), getUserByUsername: (name: unknown) => users.byUsername(name) },
    syncHelper: {
      getLocalIssueKeyFromRemoteId: async (remoteKey: unknown, type?: unknown) => (await twins.localFor(remoteKey, type))?.key,
      syncBackAfterProcessing: () => syncBack(),
    },
    httpClient: { get: (path: unknown) => platform.get(path) },
  };
}

function onIncomingOnly(name: string, methods: readonly string[]): Names {
  return Object.fromEntries(methods.map((method) => [method, onIncoming(`${name}.${method}`)]));
}

function onIncoming(name: string): () => never {
  return () => refuse(`${name} is for incoming rules: an outgoing rule changes nothing here`);
}

function refuse(message: string): never {
  throw new TypeError(message);
}

/** Text, or the name of `{name}`; nothing for nothing. */
function nameOf(value: unknown): string | undefined {
  if (value === null || value === undefined || value === "") return undefined;
  if (typeof value === "object" && "name" in value) return nameOf(value.name);
  if (typeof value === "string" || typeof value === "number") return String(value);
  throw new TypeError("status needs the name of a status");
}

function sentence(why: unknown): string {
  const text = why === undefined ? "no reason given" : typeof why === "string" ? why : String(why);
  return text.slice(0, 5_000);
}
