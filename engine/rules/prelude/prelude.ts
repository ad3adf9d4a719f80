/**
 * What a rule finds around it. Runs inside the isolate, whose built-ins are frozen by then, so ordinary methods may be used;
 * a rule's own objects are its own and may hold anything. Every object made here belongs to one run: nothing is shared between runs.
 */
import type { Finish, Prepare, RunHost } from "../../sandbox/guest/runs.ts";
import type { EntityView, IncomingRunInput, OutgoingRunInput } from "../run-input.ts";
import { type Asks, asksOf } from "./asks.ts";
import { attachmentsOf } from "./attachments.ts";
import { type Changes, changesBetween } from "./changes.ts";
import { commentsOf } from "./comments.ts";
import { Effects } from "./effects.ts";
import { mappingOf } from "./mapping.ts";
import { textOf } from "./text.ts";

/** Builds the names for one run and gathers its result. */
export const prepare: Prepare = (given, host) => {
  // Written by the engine: the one input here that needs no doubt.
  const input = given as OutgoingRunInput | IncomingRunInput;
  host.pin(input.now, input.seed);
  return input.direction === "outgoing" ? new OutgoingNames(input, host) : new IncomingNames(input, host);
};

/**
 * The names of both directions. Getters, because a run takes only the names that its rule mentions, each once. The rule gets what they answer,
 * never this object.
 */
abstract class Names {
  protected readonly input: OutgoingRunInput | IncomingRunInput;
  protected readonly host: RunHost;
  #effects: Effects | undefined;

  constructor(input: OutgoingRunInput | IncomingRunInput, host: RunHost) {
    this.input = input;
    this.host = host;
  }

  /** For the sandbox: what the rule takes its names from. */
  get names(): this {
    return this;
  }

  finish(): Finish {
    return { label: "", wrapping: 1, value: this.result() };
  }

  protected abstract result(): unknown;

  get entity(): EntityView {
    return this.input.entity;
  }

  get issue(): EntityView {
    return this.input.entity;
  }

  get previous(): unknown {
    return this.input.previous ?? undefined;
  }

  get firstSync(): boolean {
    return this.input.firstSync;
  }

  get connection(): unknown {
    return this.input.connection;
  }

  get console(): RunHost["console"] {
    return this.host.console;
  }

  get effects(): Effects {
    this.#effects ??= new Effects();
    return this.#effects;
  }

  /** The effects as part of the result; most rules ask for none. */
  protected effectsAsked(): unknown {
    return this.#effects?.result() ?? { startSync: [], syncBack: false, unlink: false };
  }

  get users(): Asks["users"] {
    return asksOf(this.host).users;
  }

  get lookup(): Asks["lookup"] {
    return asksOf(this.host).lookup;
  }

  get platform(): Asks["platform"] {
    return asksOf(this.host).platform;
  }

  get twins(): Asks["twins"] {
    return asksOf(this.host).twins;
  }

  get mapping(): unknown {
    return mappingOf(this.input.direction, this.input.mappings);
  }

  get text(): unknown {
    return textOf();
  }

  get startSync(): (record: unknown) => void {
    return (record) => this.effects.startSync(record);
  }

  get syncBack(): () => void {
    return () => this.effects.syncBack();
  }

  get unlink(): () => void {
    return () => this.effects.unlink();
  }

  get skip(): (why: unknown) => never {
    return (why) => this.host.end({ kind: "skipped", why: sentence(why) });
  }

  get fail(): (why: unknown) => never {
    return (why) => this.host.end({ kind: "failed", why: sentence(why) });
  }

  get waitFor(): (remoteKey: unknown) => never {
    return (remoteKey) => {
      if (typeof remoteKey !== "string" || remoteKey === "") throw new TypeError("waitFor needs the key of a remote record");
      return this.host.end({ kind: "waiting", remoteKey });
    };
  }

  // The names that scripts of other products use, so that they port line by line.

  get nodeHelper(): unknown {
    const { byEmail, byUsername } = this.users;
    return { getUserByEmail: byEmail, getUserByUsername: byUsername };
  }

  get syncHelper(): unknown {
    const { localFor } = this.twins;
    return {
      getLocalIssueKeyFromRemoteId: async (remoteKey: unknown, type?: unknown) => ((await localFor(remoteKey, type)) as { key?: unknown } | undefined)?.key,
      syncBackAfterProcessing: this.syncBack,
    };
  }

  get httpClient(): unknown {
    return { get: this.platform.get };
  }
}

class OutgoingNames extends Names {
  readonly replica: Record<string, unknown> = {};

  override get entity(): EntityView {
    return internalByName(this.input.entity);
  }

  override get issue(): EntityView {
    return this.entity;
  }

  get comments(): Merging {
    return { merge: onIncoming("comments.merge"), add: onIncoming("comments.add") };
  }

  get attachments(): Merging {
    return { merge: onIncoming("attachments.merge") };
  }

  get worklogs(): unknown {
    return { merge: onIncoming("worklogs.merge") };
  }

  get commentHelper(): unknown {
    return { mergeComments: onIncoming("commentHelper.mergeComments") };
  }

  get attachmentHelper(): unknown {
    return { mergeAttachments: onIncoming("attachmentHelper.mergeAttachments") };
  }

  get linkTo(): unknown {
    return onIncoming("linkTo");
  }

  get status(): unknown {
    return onIncoming("status");
  }

  protected result(): unknown {
    return { kind: "replica", replica: this.replica, effects: this.effectsAsked() };
  }
}

class IncomingNames extends Names {
  // What the constructor of all names was given; another field of this name would hide it.
  declare protected readonly input: IncomingRunInput;
  #status: string | undefined;

  get replica(): unknown {
    return this.input.replica;
  }

  get changes(): Changes {
    return changesBetween(this.input.previous, this.replica);
  }

  get comments(): Merging {
    return commentsOf(this.input);
  }

  get attachments(): Merging {
    return attachmentsOf(this.input);
  }

  /** No platform that there is a connector for has worklogs that could be written. */
  get worklogs(): unknown {
    const name = this.input.platform?.name ?? "this platform";
    return {
      merge: () => {
        throw this.host.refusal("NO_WORKLOGS", `worklogs.merge: ${name} has no worklogs; those that arrive can be read in replica.worklogs`);
      },
    };
  }

  get commentHelper(): unknown {
    return { mergeComments: this.comments.merge };
  }

  get attachmentHelper(): unknown {
    return { mergeAttachments: this.attachments.merge };
  }

  get linkTo(): (record: unknown) => void {
    return (record) => this.effects.linkTo(record);
  }

  get status(): (name: unknown) => void {
    return (name) => {
      this.#status = nameOf(name) ?? this.#status;
    };
  }

  /** The engine gave this run an entity of its own, which the rule has changed. */
  protected result(): unknown {
    return { kind: "changed", entity: this.entity, status: this.#status, effects: this.effectsAsked() };
  }
}

/** Internal comments leave by their name alone: not with `{ ...entity }`, nor with the entity as a whole. */
function internalByName(entity: EntityView): EntityView {
  if (entity.internalComments.length > 0) Object.defineProperty(entity, "internalComments", { enumerable: false });
  return entity;
}

interface Merging {
  add?(body: unknown, options?: unknown): void;
  merge(entity: unknown, replica: unknown, change?: unknown): void;
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
