import type { Json } from "../replica/json.ts";
import { listSides } from "../store/configuration.ts";
import { recordedRun } from "../store/runs.ts";
import { candidate } from "../sync/candidate.ts";
import { sideNamed } from "../sync/operations.ts";
import { preview } from "../sync/preview.ts";
import { ruleName } from "../sync/rule-run.ts";
import { replayRuns, shadow } from "../sync/shadow.ts";
import type { ApiMeans } from "./api.ts";
import { type Api, addCall, byDirection, byId, found } from "./calls.ts";
import { previewBody, previewSchema, replayBody, shadowBody, shadowSchema } from "./rule-schemas.ts";

const ofRule = "/api/connections/{name}/sides/{side}/rules/{direction}";
const errors = { 404: "No such connection, side, record or version", 422: "The text does not check" };

/** Trying a text on what is real: live records, recorded runs. */
export function addTrialCalls(api: Api, { context, compiler }: ApiMeans): void {
  addCall(
    api,
    {
      method: "post",
      path: `${ofRule}/preview`,
      summary: "See what a rule would do to a live record",
      description:
        "Reads the record and runs the text: `source`, `version`, or else the draft, or what runs now. Nothing is written anywhere; a call of the rule that would write is refused.",
      params: byDirection,
      body: previewBody,
      answer: { status: 200, schema: previewSchema, description: "What it would do, in words and as data" },
      errors: { ...errors, 502: "The platform does not answer" },
    },
    async ({ params, body }) => {
      const side = await sideNamed(context, params.name, params.side);
      const { entityType, key, replica, ...which } = body;
      return await preview(context, compiler, side, params.direction, {
        ...which,
        record: entityType === undefined || key === undefined ? undefined : { entityType, key },
        // The body was read from JSON.
        replica: replica as Readonly<Record<string, Json>> | undefined,
      });
    },
  );
  addCall(
    api,
    {
      method: "post",
      path: `${ofRule}/shadow`,
      summary: "Go through the last recorded runs with another text",
      description: "Lists the runs whose result would differ, and how. Recorded answers stand for the platform.",
      params: byDirection,
      body: shadowBody,
      answer: { status: 200, schema: shadowSchema, description: "What would differ" },
      errors,
    },
    async ({ params, body }) => {
      const side = await sideNamed(context, params.name, params.side);
      const { label, rule } = await candidate(context, compiler, side, params.direction, body);
      return { text: label, ...(await shadow(context, side, params.direction, rule, body.runs)) };
    },
  );
  addCall(
    api,
    {
      method: "post",
      path: "/api/runs/{id}/replay",
      summary: "Go through one recorded run with another text",
      params: byId,
      body: replayBody,
      answer: { status: 200, schema: shadowSchema, description: "What would differ" },
      errors: { ...errors, 404: "No such run or version" },
    },
    async ({ params, body }) => {
      const began = performance.now();
      const run = found(await recordedRun(context.db, params.id), "run");
      const side = found(
        (await listSides(context.db)).find((row) => row.id === run.sideId),
        "side",
      );
      const { label, rule } = await candidate(context, compiler, side, run.direction, body);
      const program = { versionId: rule.versionId, name: ruleName(side, run.direction), code: rule.code };
      const again = await replayRuns(context, program, new Map(), [run]);
      return { text: label, ...again, same: again.compared - again.different.length, tookMs: Math.round(performance.now() - began) };
    },
  );
}
