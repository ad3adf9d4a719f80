import { spawn } from "node:child_process";
import { constants } from "node:os";

/**
 * Runs a program with our terminal and resolves with its exit code, or with 128 plus the number of the signal that ended it, as a
 * shell would. A request to end is passed on once; the child decides what to do about it, and we wait for it.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<number>}
 */
export function runToEnd(program, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: "inherit" });
    const stopPassingOn = passSignalsOn(child);
    child.once("error", (error) => {
      stopPassingOn();
      reject(error);
    });
    child.once("exit", (code, signal) => {
      stopPassingOn();
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @returns {() => void} undoes it
 */
export function passSignalsOn(child) {
  /** @type {Set<NodeJS.Signals>} */
  const passed = new Set();
  /** @param {NodeJS.Signals} signal */
  const pass = (signal) => {
    // A terminal sends Ctrl-C to every process of the group, the child among them; a second one would be taken for impatience.
    const alreadySent = signal === "SIGINT" && process.stdin.isTTY;
    if (!alreadySent && !passed.has(signal)) child.kill(signal);
    passed.add(signal);
  };
  /** @type {NodeJS.Signals[]} */
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, pass);
  const stopWatching = whenNpmIsGone(() => pass("SIGTERM"));
  return () => {
    stopWatching();
    for (const signal of signals) process.off(signal, pass);
  };
}

/**
 * npm passes a request to end on to the shell it started us with, and dash ends without passing it to us: seen with npm 11 on Debian,
 * `kill` of `npm start` left everything running with nobody above it. So we look whether our parent is still the same. Only under
 * npm: who starts us from a shell may well leave the shell.
 *
 * @param {() => void} act
 * @returns {() => void} stops looking
 */
function whenNpmIsGone(act) {
  if (process.env.npm_lifecycle_event === undefined) return () => undefined;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    act();
  }, 250);
  timer.unref();
  return () => clearInterval(timer);
}
