import { Hono } from "hono";
import { ConnectorError } from "../../connectors/errors.ts";
import { OutOfDate } from "../sync/out-of-date.ts";
import { RuleRefused } from "../sync/publish.ts";
import { SamplesFail } from "../sync/publishing.ts";
import { UnknownName } from "../sync/unknown-name.ts";
import { type ApiMeans, createApi } from "./api.ts";
import { ApiError } from "./body.ts";
import { healthOf } from "./health.ts";
import { createHooks } from "./hooks.ts";
import { nodeMetrics } from "./metrics.ts";
import { createSignIn } from "./sign-in.ts";

/** Everything that a node says over HTTP. Every error has one shape: `{error: {code, message}}`. */
export function createApp(means: ApiMeans): Hono {
  const { context } = means;
  const app = new Hono();
  const metrics = nodeMetrics(context);
  app.get("/healthz", async (c) => {
    const health = await healthOf(context);
    return c.json(health, health.status === "down" ? 503 : 200);
  });
  app.get("/metrics", async (c) => c.text(await metrics.metrics(), 200, { "content-type": metrics.contentType }));
  app.get("/", (c) => c.text("Isobridge is running. Its API is described at /api/openapi.json, its health at /healthz, its metrics at /metrics.\n"));
  app.route("/", createHooks(context));
  app.route("/", createSignIn(context));
  app.route("/", createApi(means));
  app.notFound((c) => c.json({ error: { code: "NOT_FOUND", message: `There is no ${c.req.method} ${c.req.path}; see /api/openapi.json.` } }, 404));
  app.onError((error, c) => {
    if (error instanceof RuleRefused) return c.json({ error: { code: "RULE_REFUSED", message: error.message, diagnostics: [...error.diagnostics] } }, 422);
    if (error instanceof SamplesFail)
      return c.json(
        {
          error: {
            code: "SAMPLES_FAIL",
            message: `${error.message}. An admin may publish it all the same, saying why in \`despite\`.`,
            detail: { samples: [...error.failed] },
          },
        },
        422,
      );
    if (error instanceof OutOfDate) return c.json({ error: { code: error.code, message: error.message, detail: { theirs: { ...error.present } } } }, 409);
    if (error instanceof ApiError) {
      if (error.status === 401) c.header("www-authenticate", "Bearer");
      return c.json(
        {
          error: {
            code: error.code,
            message: error.message,
            ...(error.diagnostics === undefined ? {} : { diagnostics: [...error.diagnostics] }),
            ...(error.detail === undefined ? {} : { detail: { ...error.detail } }),
          },
        },
        error.status,
      );
    }
    if (error instanceof UnknownName) return c.json({ error: { code: "NOT_FOUND", message: error.message } }, 404);
    // The platform's words are for the caller: it asked for something there.
    if (error instanceof ConnectorError)
      return c.json({ error: { code: error.code, message: error.advice === undefined ? error.message : `${error.message} ${error.advice}` } }, 502);
    context.log.error({ err: error, path: c.req.path }, "An API call failed.");
    return c.json({ error: { code: "INTERNAL", message: "The call failed inside Isobridge; the node's log says why." } }, 500);
  });
  return app;
}
