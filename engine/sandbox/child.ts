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
const bufferBytes = 1024 * 1024;
/** What was read and not yet handled begins at 0. */
let input: Buffer = Buffer.allocUnsafeSlow(bufferBytes);
let filled = 0;
let output: Buffer = Buffer.allocUnsafeSlow(bufferBytes);
let used = 0;
/** Characters of texts from isolates since the last collection. */
let outside = 0;
const mostOutside = 48 * 1024 * 1024;
let handled = 0;
let handledBefore = 0;
let checkedAt = 0;
let weary = false;

const collectGarbage = takeCollector();
const ivm = loadNative();
say({ type: "ready", ...dropRights() });
listen();

function loadNative(): typeof Ivm {
  const holder: { exports: { ivm?: typeof Ivm } } = { exports: {} };
  process.dlopen(holder, nativePath);
  if (holder.exports.ivm === undefined) throw new Error("isolated-vm did not load");
  return holder.exports.ivm;
}

/**
 * V8's collector, which nobody else gets: the flag that gave it to us is taken back before there is another isolate.
 *
 * Texts that come out of an isolate lie outside V8's heap, and V8 does not count them: in 200 000 runs of 2 KB they grew to 430 MB [M].
 */
function takeCollector(): () => void {
  const scope = globalThis as { gc?: () => void };
  const collect = scope.gc ?? (() => {});
  delete scope.gc;
  process.getBuiltinModule("node:v8").setFlagsFromString("--no-expose-gc");
  return collect;
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

/**
 * Reads, works, answers, for ever. Waiting in the read itself instead of in the event loop saves a wake-up, a buffer and two copies for each 64 KB [M]; the
 * loop turns once between two reads, for what V8 and isolated-vm leave to it.
 */
function listen(): void {
  flush();
  const turn = (): void => {
    if (!fill()) {
      // An input that does not wait, as a launcher of the operator's own may hand down.
      setTimeout(turn, 1);
      return;
    }
    handleFrames();
    if (outside > mostOutside) {
      collectGarbage();
      outside = 0;
    }
    say({ type: "idle", weary: isWeary() });
    flush();
    setImmediate(turn);
  };
  setImmediate(turn);
}

/** Waits for bytes. False when there are none yet after all. */
function fill(): boolean {
  let count = 0;
  try {
    count = fs.readSync(0, input, filled, input.length - filled, null);
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === "EAGAIN") return false;
    if (code !== "EOF") throw error;
  }
  // No parent, no work: and nothing to tidy up.
  if (count === 0) process.kill(process.pid, "SIGKILL");
  filled += count;
  return true;
}

function handleFrames(): void {
  let offset = 0;
  let needed = 0;
  while (filled - offset >= 4) {
    const end = offset + 4 + input.readUInt32LE(offset);
    if (end > filled) {
      needed = end - offset;
      break;
    }
    const cut = input.indexOf(10, offset + 4);
    handle(JSON.parse(input.toString("utf8", offset + 4, cut)) as ToChild, input.toString("utf8", cut + 1, end));
    offset = end;
  }
  const rest = input.subarray(offset, filled);
  if (needed > input.length || (filled === offset && input.length > bufferBytes)) input = Buffer.allocUnsafeSlow(Math.max(needed, bufferBytes));
  if (offset > 0 || rest.buffer !== input.buffer) rest.copy(input);
  filled = rest.length;
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
    case "tidy":
      dropIdleRooms();
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
  outside += text.length;
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

/** An isolate that was not used between two calls of this goes. The parent says when: nothing runs here while we wait for its bytes. */
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
  const header = JSON.stringify(message);
  // Three bytes are the most that a UTF-16 unit takes.
  const most = (header.length + payload.length) * 3 + 5;
  if (used + most > output.length) flush();
  if (most > output.length) output = Buffer.allocUnsafeSlow(most);
  let end = used + 4;
  end += output.write(header, end, "utf8");
  output[end] = 10;
  end += 1;
  // Not in one text with the header: making that would copy the payload once more.
  if (payload !== "") end += output.write(payload, end, "utf8");
  output.writeUInt32LE(end - used - 4, used);
  used = end;
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
