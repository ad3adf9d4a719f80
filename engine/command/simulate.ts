import { type SimulatedPlatform, simulate } from "../demo/simulate.ts";
import { untilAskedToStop } from "./shutdown.ts";

/** Runs a simulated platform by itself until it is asked to stop. */
export async function simulateCommand(options: {
  readonly platform: SimulatedPlatform;
  readonly host: string;
  readonly port: number;
  /** Where its records are kept; without one they end with the process. */
  readonly folder: string | undefined;
  /** Cases or incidents to begin with, where there are none. */
  readonly records: number;
}): Promise<void> {
  const stop = untilAskedToStop();
  const simulator = await simulate(options.platform, options);
  try {
    process.stdout.write(`${simulator.guide}\nStop with Ctrl+C.\n`);
    await stop;
  } finally {
    await simulator.close();
  }
}
