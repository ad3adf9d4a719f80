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
  readonly start: Ivm.Reference;
  readonly resume: Ivm.Reference;
  readonly poll: Ivm.Reference;
  readonly drop: Ivm.Reference;
  readonly active: Set<number>;
  started: number;
  usedAt: number;
}

interface LiveRun {
  readonly version: string;
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
  handled += 1;
  switch (message.type) {
    case "prepare":
      settings = message;
      return;
    case "load":
      if (!programs.has(message.version)) keep(message.version, payload);
      return;
    case "start":
      start(message, payload);
      return;
    case "resume": {
      const run = live.get(message.run);
      if (run !== undefined) step(message.run, run, run.room.resume, [message.run, payload]);
      return;
    }
    case "drop":
      forget(message.run);
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

function start(message: Extract<ToChild, { type: "start" }>, input: string): void {
  const program = programs.get(message.version);
  if (program === undefined) {
    say({ type: "lost", run: message.run, unloaded: true });
    return;
  }
  say({ type: "begin", run: message.run });
  flush();
  if (program.room !== undefined && program.room.started >= (settings?.runsPerIsolate ?? 0) && program.room.active.size === 0) leave(program);
  try {
    program.room ??= open(program.code);
  } catch (error) {
    say({ type: "thrown", run: message.run, cpuMs: 0, stage: "load", ...wordsOf(error) });
    return;
  }
  const { room } = program;
  room.started += 1;
  room.active.add(message.run);
  const run: LiveRun = { version: message.version, room, cpuLeftMs: message.cpuMs };
  live.set(message.run, run);
  step(message.run, run, room.start, [message.run, message.limits, input]);
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
    const [start, resume, poll, drop] = ["start", "resume", "poll", "drop"].map((name) => namespace.getSync(name, { reference: true }) as Ivm.Reference);
    // Handles that stay pin their context: 150 KB each.
    namespace.release();
    for (const module of modules.values()) module.release();
    context.release();
    if (start === undefined || resume === undefined || poll === undefined || drop === undefined) throw new Error("the prelude does not export what it must");
    return { isolate, start, resume, poll, drop, active: new Set(), started: 0, usedAt: handled };
  } catch (error) {
    isolate.dispose();
    throw error;
  }
}

/** Runs a piece of a rule up to its end or to where it waits, and says which. */
function step(id: number, run: LiveRun, entry: Ivm.Reference, args: (number | string)[]): void {
  const { room } = run;
  room.usedAt = handled;
  if (entry !== room.start) {
    say({ type: "begin", run: id });
    flush();
  }
  const startedAt = performance.now();
  let spent = 0;
  try {
    const timeout = Math.max(1, Math.ceil(run.cpuLeftMs));
    entry.applySync(undefined, args, { timeout });
    const text: unknown = room.poll.applySync(undefined, [id], { timeout });
    spent = performance.now() - startedAt;
    run.cpuLeftMs -= spent;
    if (typeof text !== "string") throw new Error("poll answered nothing");
    say({ type: "step", run: id, cpuMs: spent }, text);
    if (text.startsWith('{"state":"calls"')) return;
    // The isolate has forgotten a run that it reported as over.
    live.delete(id);
    room.active.delete(id);
  } catch (error) {
    spent = performance.now() - startedAt;
    fail(id, run, spent, error);
  }
}

function fail(id: number, run: LiveRun, cpuMs: number, error: unknown): void {
  // Message and time together: a rule may throw this very message itself.
  const timedOut = cpuMs >= run.cpuLeftMs && wordsOf(error).message === "Script execution timed out.";
  const memory = run.room.isolate.isDisposed;
  if (timedOut || memory) {
    say({ type: "broken", run: id, cpuMs, why: memory ? "memory" : "cpu" });
    live.delete(id);
    run.room.active.delete(id);
    flush();
    const program = programs.get(run.version);
    if (program !== undefined) leave(program);
    return;
  }
  say({ type: "thrown", run: id, cpuMs, stage: "run", ...wordsOf(error) });
  forget(id);
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

function forget(id: number): void {
  const run = live.get(id);
  if (run === undefined) return;
  live.delete(id);
  run.room.active.delete(id);
  if (run.room.isolate.isDisposed) return;
  run.room.drop.applySync(undefined, [id], { timeout: 100 });
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
  for (const reference of [room.start, room.resume, room.poll, room.drop]) reference.release();
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
