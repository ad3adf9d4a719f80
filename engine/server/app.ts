import { Hono } from "hono";
import { createApi, type ApiMeans } from "./api.ts";
import { healthOf } from "./health.ts";
import { nodeMetrics } from "./metrics.ts";

/** Everything that a node says over HTTP. */
export function createApp(means: ApiMeans): Hono {
  const app = new Hono();
  const metrics = nodeMetrics(means.context);
  app.get("/healthz", async (c) => {
    const health = await healthOf(means.context);
    return c.json(health, health.status === "down" ? 503 : 200);
  });
  app.get("/metrics", async (c) => c.text(await metrics.metrics(), 200, { "content-type": metrics.contentType }));
  app.get("/", (c) => c.text("Isobridge is running. Its API is described at /api/openapi.json, its health at /healthz, its metrics at /metrics.\n"));
  app.route("/", createApi(means));
  return app;
}
