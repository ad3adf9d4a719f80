/**
 * The child process that runs rules. Loaded as text (types stripped) by `node --eval`, so that it needs no file of ours: arguments are
 * the path of isolated-vm's native part, and the user and group to become (or `-`).
 *
 * It holds no secret, keeps no clock but isolated-vm's own, and trusts the isolate with nothing: text goes in, text comes out.
 */
import type Ivm from "isolated-vm";
import type { FromChild, ToChild } from "./messages.ts";

const fs = process.getBuiltinModule("node:fs");
const [nativePath = "", userId = "-", groupId = "-"] = process.argv.slice(1);

/** The name under which rule text is compiled; the parent puts the rule's own in its place. */
const scriptName = "rule:main";

let settings: Extract<ToChild, { type: "prepare" }> | undefined;
const programs = new Map<string, Program>();
const live = new Map<number, LiveRun>();
let output: Buffer = Buffer.allocUnsafe(256 * 1024);
let used = 0;
let handled = 0;
let handledBefore = 0;
let checkedAt = 0;
let weary = false;

const ivm = loadNative();
say({ type: "ready", ...dropRights() });
listen();

function loadNative(): typeof Ivm {
  const holder: { exports: { ivm?: typeof Ivm } } = { exports: {} };
  process.dlopen(holder, nativePath);
  if (holder.exports.ivm === undefined) throw new Error("isolated-vm did not load");
  return holder.exports.ivm;
}

/** After the native part is loaded nothing on disk is needed any more, and no right of the user who started us. */
function dropRights(): { user: number | null; dropped: boolean } {
  if (userId !== "-") {
    process.setgroups?.([]);
    process.setgid?.(Number(groupId));
    process.setuid?.(Number(userId));
  }
  // Node's types do not know `drop` yet.
  const permission = process.permission as { drop?: (scope: string) => void; has(scope: string): boolean } | undefined;
  for (const scope of ["fs.read", "fs.write", "addon", "child", "worker", "net", "wasi", "inspector"]) {
    try {
      permission?.drop?.(scope);
    } catch {
      // A scope that this Node does not know, or that was never granted.
    }
  }
  return { user: process.getuid?.() ?? null, dropped: permission !== undefined && !permission.has("fs.read") && !permission.has("addon") };
}

interface Program {
  readonly code: string;
  room: Room | undefined;
}

/** One isolate with one rule version in it. */
interface Room {
  readonly isolate: Ivm.Isolate;
  readonly enter: Ivm.Reference;
  readonly poll: Ivm.Reference;
  readonly drop: Ivm.Reference;
  readonly active: Set<number>;
  started: number;
  usedAt: number;
}

/** A run that waits for answers. */
interface LiveRun {
  readonly room: Room;
  cpuLeftMs: number;
}

function listen(): void {
  let rest: Buffer = Buffer.alloc(0);
  process.stdin.on("data", (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let offset = 0;
    while (rest.length - offset >= 4) {
      const length = rest.readUInt32LE(offset);
      if (rest.length - offset - 4 < length) break;
      const frame = rest.subarray(offset + 4, offset + 4 + length);
      offset += 4 + length;
      const cut = frame.indexOf(10);
      handle(JSON.parse(frame.toString("utf8", 0, cut)) as ToChild, frame.toString("utf8", cut + 1));
    }
    if (offset > 0) rest = rest.subarray(offset);
    say({ type: "idle", weary: isWeary() });
    flush();
  });
  // No parent, no work: and nothing to tidy up.
  process.stdin.on("end", () => process.kill(process.pid, "SIGKILL"));
  flush();
  setInterval(dropIdleRooms, 30_000).unref();
}

function handle(message: ToChild, payload: string): void {
  switch (message.type) {
    case "prepare":
      settings = message;
      return;
    case "load":
      if (!programs.has(message.version)) keep(message.version, payload);
      return;
    case "work":
      handled += message.runs.length;
      work(message, payload);
      return;
    case "drop":
      forget(message.run, live.get(message.run)?.room);
      return;
  }
}

/** Texts of old versions make way; whoever asks for one again is told that it is not here. */
function keep(version: string, code: string): void {
  if (programs.size >= 300) {
    for (const [old, program] of programs) {
      if (program.room !== undefined) continue;
      programs.delete(old);
      break;
    }
  }
  programs.set(version, { code, room: undefined });
}

type Work = Extract<ToChild, { type: "work" }>;

/** Enters the isolate once for all these runs, and says how far each has come: to its end, or to where it waits. */
function work(message: Work, payload: string): void {
  const { version, runs, starts } = message;
  const program = programs.get(version);
  if (program === undefined) {
    for (const run of runs.slice(0, starts)) say({ type: "lost", run, unloaded: true });
    return;
  }
  // Answers for runs that went down with their isolate, of which the parent has been told: it starts them again.
  if (starts === 0 && !runs.some((run) => live.has(run))) return;
  say({ type: "begin", runs });
  flush();
  if (program.room !== undefined && program.room.started >= (settings?.runsPerIsolate ?? 0) && program.room.active.size === 0) leave(program);
  try {
    program.room ??= open(program.code);
  } catch (error) {
    say({ type: "thrown", runs, cpuMs: 0, stage: "load", ...wordsOf(error) });
    return;
  }
  const { room } = program;
  room.started += starts;
  room.usedAt = handled;
  enter(message, payload, program, room, timeLeft(message));
}

/** A batch has the time of one run in all, so no run has more. Whoever shares a batch pays for all of it (see `settle`), so it cannot hide behind others either. */
function timeLeft({ runs, starts, cpuMs }: Work): number {
  let least = cpuMs;
  for (let index = starts; index < runs.length; index += 1) {
    const left = live.get(runs[index] ?? 0)?.cpuLeftMs;
    if (left !== undefined && left < least) least = left;
  }
  return Math.max(1, Math.ceil(least));
}

function enter(message: Work, payload: string, program: Program, room: Room, timeout: number): void {
  const { runs, starts, limits } = message;
  const startedAt = performance.now();
  let text: unknown;
  try {
    room.enter.applySync(undefined, [JSON.stringify(runs), starts, limits, payload], { timeout });
    text = room.poll.applySync(undefined, [], { timeout });
    if (typeof text !== "string") throw new Error("poll answered nothing");
  } catch (error) {
    fail(runs, program, room, performance.now() - startedAt, timeout, error);
    return;
  }
  const cpuMs = performance.now() - startedAt;
  if (text === "") {
    for (const run of runs) forget(run, room);
    say({ type: "spoilt", runs, cpuMs });
    return;
  }
  settle(message, room, cpuMs, text);
  say({ type: "steps", runs, cpuMs }, text);
}

/** Reads the marks in front of what `poll` answered: who waits, and who is over and forgotten in there. */
function settle({ runs, cpuMs: budget }: Work, room: Room, spent: number, text: string): void {
  for (let index = 0; index < runs.length; index += 1) {
    const run = runs[index] ?? 0;
    const known = live.get(run);
    if (text[index] !== "c") {
      if (known === undefined) continue;
      live.delete(run);
      room.active.delete(run);
    } else if (known === undefined) {
      live.set(run, { room, cpuLeftMs: budget - spent });
      room.active.add(run);
    } else known.cpuLeftMs -= spent;
  }
}

function fail(runs: readonly number[], program: Program, room: Room, cpuMs: number, timeout: number, error: unknown): void {
  // Message and time together: a rule may throw this very message itself.
  const timedOut = cpuMs >= timeout && wordsOf(error).message === "Script execution timed out.";
  const memory = room.isolate.isDisposed;
  if (timedOut || memory) {
    say({ type: "broken", runs, cpuMs, why: memory ? "memory" : "cpu" });
    for (const run of runs) {
      live.delete(run);
      room.active.delete(run);
    }
    flush();
    leave(program);
    return;
  }
  say({ type: "thrown", runs, cpuMs, stage: "run", ...wordsOf(error) });
  for (const run of runs) forget(run, room);
}

function open(code: string): Room {
  if (settings === undefined) throw new Error("not prepared");
  makeSpace(settings.isolates);
  const isolate = new ivm.Isolate({ memoryLimit: settings.isolateMegabytes });
  try {
    const context = isolate.createContextSync();
    const modules = new Map<string, Ivm.Module>();
    for (const [name, text] of Object.entries(settings.modules)) modules.set(name, isolate.compileModuleSync(text, { filename: `prelude:${name}` }));
    const rule = isolate.compileModuleSync(code, { filename: scriptName });
    modules.set(scriptName, rule);
    const main = modules.get(settings.main);
    if (main === undefined) throw new Error("the prelude has no main module");
    const resolve = (specifier: string, referrer: Ivm.Module): Ivm.Module => {
      const found = referrer === rule ? undefined : modules.get(specifier.slice(specifier.lastIndexOf("/") + 1));
      if (found === undefined) throw new Error(`there is no module ${specifier}`);
      return found;
    };
    rule.instantiateSync(context, resolve);
    main.instantiateSync(context, resolve);
    // The realm is locked while the main module is evaluated; only then may rule text run.
    main.evaluateSync({ timeout: 5_000 });
    const { namespace } = main;
    const [enter, poll, drop] = ["enter", "poll", "drop"].map((name) => namespace.getSync(name, { reference: true }) as Ivm.Reference);
    // Handles that stay pin their context: 150 KB each.
    namespace.release();
    for (const module of modules.values()) module.release();
    context.release();
    if (enter === undefined || poll === undefined || drop === undefined) throw new Error("the prelude does not export what it must");
    return { isolate, enter, poll, drop, active: new Set(), started: 0, usedAt: handled };
  } catch (error) {
    isolate.dispose();
    throw error;
  }
}

/** What was thrown comes out of the isolate as a copy, or as any primitive. */
function wordsOf(error: unknown): { message: string; stack: string } {
  try {
    if (typeof error !== "object" || error === null) return { message: String(error), stack: "" };
    const { name, message, stack } = error as { name?: unknown; message?: unknown; stack?: unknown };
    const text = typeof message === "string" ? message : "the rule rejected a promise with an object that is not an error";
    return {
      message: (typeof name === "string" && name !== "Error" && name !== "" ? `${name}: ${text}` : text).slice(0, 2_000),
      stack: typeof stack === "string" ? stack.slice(-8_000) : "",
    };
  } catch {
    return { message: "the rule rejected a promise with something that cannot be read", stack: "" };
  }
}

function forget(run: number, room: Room | undefined): void {
  live.delete(run);
  room?.active.delete(run);
  if (room === undefined || room.isolate.isDisposed) return;
  room.drop.applySync(undefined, [run], { timeout: 100 });
}

/** Throws an isolate away. Runs that wait in it must be started again. */
function leave(program: Program): void {
  const { room } = program;
  if (room === undefined) return;
  program.room = undefined;
  for (const id of room.active) {
    if (live.delete(id)) say({ type: "lost", run: id, unloaded: false });
  }
  flush();
  if (room.isolate.isDisposed) return;
  for (const reference of [room.enter, room.poll, room.drop]) reference.release();
  room.isolate.dispose();
}

/** Makes room for one more isolate: the one that was used least recently and holds no run goes. */
function makeSpace(most: number): void {
  const open = [...programs.values()].filter((program) => program.room !== undefined);
  if (open.length < most) return;
  const idle = open.filter((program) => program.room?.active.size === 0).sort((a, b) => (a.room?.usedAt ?? 0) - (b.room?.usedAt ?? 0));
  const oldest = idle[0];
  if (oldest !== undefined) leave(oldest);
}

/** An isolate that was not used between two calls of this goes. */
function dropIdleRooms(): void {
  for (const program of programs.values()) {
    if (program.room !== undefined && program.room.active.size === 0 && program.room.usedAt <= handledBefore) leave(program);
  }
  handledBefore = handled;
}

/** `process.memoryUsage.rss` costs a read of /proc: only now and then. */
function isWeary(): boolean {
  if (handled - checkedAt >= 500) {
    checkedAt = handled;
    weary = process.memoryUsage.rss() > 250 * 1024 * 1024;
  }
  return weary;
}

function say(message: FromChild, payload = ""): void {
  const text = `${JSON.stringify(message)}\n${payload}`;
  // Three bytes are the most that a UTF-16 unit takes.
  const most = text.length * 3 + 4;
  if (used + most > output.length) flush();
  if (most > output.length) output = Buffer.allocUnsafe(most);
  const length = output.write(text, used + 4, "utf8");
  output.writeUInt32LE(length, used);
  used += length + 4;
}

/** Written at once and in full: an answer that is still in memory is lost when the next rule kills us. */
function flush(): void {
  let offset = 0;
  while (offset < used) {
    try {
      offset += fs.writeSync(1, output, offset, used - offset);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "EAGAIN") throw error;
    }
  }
  used = 0;
}
