import { failurePage } from "../store/lists.ts";
import { retryFailure, skipFailure } from "../sync/failures.ts";
import { checkInstance } from "../sync/instance-check.ts";
import { syncByKey } from "../sync/operations.ts";
import { beginWebSignIn } from "../sync/web-sign-in.ts";
import type { ApiMeans } from "./api.ts";
import { ApiError } from "./body.ts";
import { type Api, addCall, byName, byNumber, bySide, found } from "./calls.ts";
import { instanceCheckSchema, resolvedSchema, signInBody, signInSchema, syncBody, syncQueuedSchema } from "./schemas.ts";
import { signInCallback } from "./sign-in.ts";

/** What keeps things moving: failures dealt with, records synced by hand, instances signed in to. */
export function addOperatorCalls(api: Api, { context }: ApiMeans): void {
  for (const [verb, resolution, resolve, summary] of [
    ["retry", "retried", retryFailure, "Try again what failed"],
    ["skip", "skipped", skipFailure, "Go on without what failed"],
  ] as const) {
    addCall(
      api,
      {
        method: "post",
        path: `/api/failures/{id}/${verb}`,
        summary,
        params: byNumber,
        answer: { status: 200, schema: resolvedSchema, description: "The lane goes on" },
        errors: { 404: "No such failure", 409: "The failure was resolved before" },
      },
      async ({ params: { id } }) => {
        if (await resolve(context, id)) return { id, resolution };
        found((await failurePage(context.db, { limit: 1 }, { state: "all", id })).items[0], "failure");
        throw new ApiError(409, "ALREADY_RESOLVED", `Failure ${id} was resolved before.`);
      },
    );
  }
  addCall(
    api,
    {
      method: "post",
      path: "/api/connections/{name}/sides/{side}/sync",
      summary: "Sync one record by its key",
      description: "Finds the record by its key (number, case number) or id on that side's platform and queues a look at it, whether or not a trigger fits.",
      params: bySide,
      body: syncBody,
      answer: { status: 202, schema: syncQueuedSchema, description: "Queued" },
      errors: { 404: "No such connection, side or record" },
    },
    async ({ params: { name, side }, body: { entityType, key } }) => ({ twin: await syncByKey(context, { connection: name, side, entityType, key }) }),
  );
  addCall(
    api,
    {
      method: "post",
      path: "/api/instances/{name}/check",
      summary: "Check an instance",
      description: "Signs in anew and asks for what the node needs there. An instance that was stopped and works again goes on at once.",
      params: byName,
      answer: { status: 200, schema: instanceCheckSchema, description: "Who is signed in, and what is missing" },
      errors: { 404: "No such instance", 502: "The platform refuses or cannot be reached" },
    },
    async ({ params: { name } }) => await checkInstance(context, name),
  );
  addCall(
    api,
    {
      method: "post",
      path: "/api/instances/{name}/sign-in",
      summary: "Sign in to an instance with a browser",
      description: "For instances whose auth is web-server: begins the sign-in. The redirect URI must be a callback URL of the platform's app.",
      params: byName,
      body: signInBody,
      answer: { status: 200, schema: signInSchema, description: "Begun" },
      errors: { 404: "No such instance" },
    },
    async ({ params: { name }, body: { redirectUri: wanted }, author, url }) => {
      const redirectUri = wanted ?? new URL(signInCallback, url).href;
      return { ...(await beginWebSignIn(context, name, redirectUri, author)), redirectUri };
    },
  );
}
