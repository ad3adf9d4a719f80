import { afterAll, afterEach, beforeAll } from "vitest";
import { type ServiceNowSimulator, type ServiceNowSimulatorOptions, startServiceNowSimulator } from "./simulator.ts";

/** One simulator for the tests of a file; faults, clock and automation are put right after each. */
export function openSimulator(options: ServiceNowSimulatorOptions = {}): () => ServiceNowSimulator {
  let simulator: ServiceNowSimulator | undefined;
  beforeAll(async () => {
    simulator = await startServiceNowSimulator(options);
  });
  afterAll(() => simulator?.close());
  afterEach(async () => {
    simulator?.clearFaults();
    simulator?.clock.set({ frozenAt: null, offsetMs: 0 });
    simulator?.hints.clear();
    if (simulator !== undefined) await fetch(`${simulator.url}/__control/rules`, { method: "DELETE" });
  });
  return () => {
    if (simulator === undefined) throw new Error("The simulator starts before the first test.");
    return simulator;
  };
}

/** Calls the control API; the answer's JSON. */
export async function control(url: string, method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(`${url}/__control/${path}`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}
