import type { Context, Hono } from "hono";
import { z } from "zod";
import type { SimulatorBindings } from "../../simulation/server.ts";
import { accountControls } from "./control-accounts.ts";
import { automationControls } from "./control-automation.ts";
import { recordControls } from "./control-records.ts";
import type { Instance } from "./instance.ts";

/** One control of the simulator: how it is called, what it does, and the doing. */
export interface Control {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** After `/__control/`. */
  readonly path: string;
  readonly text: string;
  run(c: Context, instance: Instance): Promise<Response> | Response;
}

/** The controls that only this platform has; faults, clock, latency and the request log are those of every simulator. */
const controls: readonly Control[] = [...accountControls, ...recordControls, ...automationControls];

/** Method and path with what it does, for the page at `/`. */
export const controlTexts: readonly (readonly [string, string])[] = controls.map(({ method, path, text }) => [`${method} /__control/${path}`, text]);

/** Serves them under `/__control`; what is ill-formed is 400 with the reason. */
export function controlRoutes(app: Hono<SimulatorBindings>, instance: Instance): void {
  for (const control of controls) {
    app.on([control.method], `/__control/${control.path}`, async (c) => {
      try {
        return await control.run(c, instance);
      } catch (error) {
        if (error instanceof z.ZodError) return c.json({ error: z.prettifyError(error) }, 400);
        if (error instanceof SyntaxError) return c.json({ error: error.message }, 400);
        throw error;
      }
    });
  }
}
