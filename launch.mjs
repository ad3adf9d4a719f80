#!/usr/bin/env node
/**
 * The one command behind `npm start`, `npm test` and all others. Whatever Node from 20 on runs this file, it makes sure that the
 * packages are those of package-lock.json and hands over to the Node 26 among them. Plain JavaScript without packages, because it
 * runs before there are any, and on a Node that cannot run TypeScript.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { benchmark } from "./launch/benchmark.mjs";
import { runChecks } from "./launch/checks.mjs";
import { ensurePackages } from "./launch/packages.mjs";
import { runToEnd } from "./launch/process.mjs";
import { findRuntime } from "./launch/runtime.mjs";

const root = dirname(fileURLToPath(import.meta.url));
const [verb, ...args] = process.argv.slice(2);
// That stripping types is new to Node is nothing that a person at a terminal can act on.
const quiet = ["--disable-warning=ExperimentalWarning"];

try {
  await ensurePackages(root);
  const node = findRuntime(root);
  // `isobridge test` tests rules; `npm test` tests Isobridge.
  if (verb === "checks") process.exitCode = await runChecks(root, node, args);
  else if (verb === "bench") process.exitCode = await benchmark(root, node, args);
  else process.exitCode = await runToEnd(node, [...quiet, join(root, "engine", "main.ts"), ...process.argv.slice(2)], {});
} catch (error) {
  // What is thrown here is said to a person; a stack would only hide it.
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
