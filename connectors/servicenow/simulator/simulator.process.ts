import { startServiceNowSimulator } from "./simulator.ts";

/** A simulator in a process of its own, so that a test can kill it: tells its address to the parent. */
const simulator = await startServiceNowSimulator({ folder: process.argv[2] ?? "" });
process.send?.(simulator.url);
