import { z } from "@hono/zod-openapi";
import { declarationsHash } from "../rules/declarations.ts";
import { ruleVersion } from "../store/lists.ts";
import { mappingsOf } from "../store/mappings.ts";
import { declarationsOf, groundsOf } from "../sync/candidate.ts";
import { compareLines } from "../sync/compare.ts";
import { publishTo, sideNamed } from "../sync/operations.ts";
import { activateVersion, publishDraft } from "../sync/publishing.ts";
import { ruleName } from "../sync/rule-run.ts";
import { ruleText } from "../sync/versioned-text.ts";
import type { ApiMeans } from "./api.ts";
import { type Api, addCall, byDirection, byId, bySide, found } from "./calls.ts";
import { addDraftCalls } from "./draft-calls.ts";
import { requireOverride } from "./roles.ts";
import {
  activateBody,
  comparisonSchema,
  declarationsSchema,
  diagnosticsSchema,
  mappingsSchema,
  publishBody,
  publishedSchema,
  sourceBody,
} from "./rule-schemas.ts";

const ofRule = "/api/connections/{name}/sides/{side}/rules/{direction}";
const noSuchSide = { 404: "No such connection or side" };

/** Drafts, publishing, going back, comparing. */
export function addRuleCalls(api: Api, { context, compiler }: ApiMeans): void {
  const { db } = context;
  addCall(
    api,
    {
      method: "post",
      path: `${ofRule}/versions`,
      summary: "Check a rule and publish it as the next version",
      description:
        "The version runs from the next change on. A rule that does not check is refused with every error and its position, one that fails pinned samples with what differs.",
      params: byDirection,
      body: publishBody,
      answer: { status: 201, schema: publishedSchema, description: "Published" },
      errors: { ...noSuchSide, 409: "Another version than `basedOn` is active", 422: "The rule does not check, or fails pinned samples" },
    },
    async ({ params, body, author, role }) => {
      requireOverride(role, body.despite);
      return await publishTo(context, await compiler(), { connection: params.name, side: params.side, direction: params.direction, author, ...body });
    },
  );
  addCall(
    api,
    {
      method: "get",
      path: `${ofRule}/declarations`,
      summary: "Read what rules are checked against",
      description: "The ambient declarations as they are now: the same text for the editor, the check at publishing and the command line.",
      params: byDirection,
      answer: { status: 200, schema: declarationsSchema, description: "The declarations" },
      errors: { ...noSuchSide, 502: "The platform does not answer" },
    },
    async ({ params }) => {
      const text = await declarationsOf(context, await sideNamed(context, params.name, params.side), params.direction);
      return { hash: declarationsHash(text), text };
    },
  );
  addCall(
    api,
    {
      method: "post",
      path: `${ofRule}/check`,
      summary: "Check a text without publishing it",
      params: byDirection,
      body: sourceBody,
      answer: { status: 200, schema: diagnosticsSchema, description: "What is wrong with it, if anything" },
      errors: { ...noSuchSide, 502: "The platform does not answer" },
    },
    async ({ params, body }) => {
      const side = await sideNamed(context, params.name, params.side);
      const grounds = await groundsOf(context, side, params.direction);
      const compiled = await (await compiler()).compile({ name: ruleName(side, params.direction), source: body.source, ...grounds });
      return { ok: compiled.ok, declarationsHash: declarationsHash(grounds.declarations), diagnostics: compiled.ok ? [] : compiled.diagnostics };
    },
  );
  addDraftCalls(api, context, {
    path: ofRule,
    what: "a rule",
    params: byDirection,
    text: async ({ name, side, direction }) => ruleText(await sideNamed(context, name, side), direction),
    published: publishedSchema,
    publish: async ({ name, side, direction }, by) => await publishDraft(context, compiler, await sideNamed(context, name, side), direction, by),
  });
  addCall(
    api,
    {
      method: "post",
      path: "/api/rule-versions/{id}/activate",
      summary: "Go back to a version",
      description:
        "Its text becomes a new version with a note that names it. It is checked and tried on the pinned samples; `despite` brings it back as it ran then even so.",
      params: byId,
      body: activateBody,
      answer: { status: 201, schema: publishedSchema, description: "Published" },
      errors: { 404: "No such version", 422: "The text does not check any more, or fails pinned samples" },
    },
    async ({ params, body, author, role }) => {
      requireOverride(role, body.despite);
      const version = found(await ruleVersion(db, params.id), "rule version");
      return await activateVersion(context, compiler, params.id, { ...body, author }, await sideNamed(context, version.connection, version.side));
    },
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/rule-versions/{id}/comparison/{other}",
      summary: "Compare two versions line by line",
      params: byId.extend({ other: z.uuid() }),
      answer: { status: 200, schema: comparisonSchema, description: "All lines, from the first to the second" },
      errors: { 404: "No such version" },
    },
    async ({ params }) => {
      const from = found(await ruleVersion(db, params.id), "rule version");
      const to = found(await ruleVersion(db, params.other), "rule version");
      return { from: `version ${from.number}`, to: `version ${to.number}`, lines: compareLines(from.source, to.source) };
    },
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/connections/{name}/sides/{side}/mappings",
      summary: "Read the tables of values that a side's rules are given",
      params: bySide,
      answer: { status: 200, schema: mappingsSchema, description: "The tables by name" },
      errors: noSuchSide,
    },
    async ({ params }) => ({ tables: await mappingsOf(db, (await sideNamed(context, params.name, params.side)).id) }),
  );
}
