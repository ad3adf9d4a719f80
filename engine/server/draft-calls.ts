import { z } from "@hono/zod-openapi";
import { readDraft } from "../store/drafts.ts";
import { compareLines } from "../sync/compare.ts";
import type { SyncContext } from "../sync/context.ts";
import { dropDraft, keepDraft } from "../sync/drafts.ts";
import { OutOfDate } from "../sync/out-of-date.ts";
import type { VersionedText } from "../sync/versioned-text.ts";
import { ApiError } from "./body.ts";
import { type Api, addCall, found } from "./calls.ts";
import { requireOverride } from "./roles.ts";
import { comparisonSchema, draftBody, draftSchema, publishDraftBody, revisionQuery } from "./rule-schemas.ts";

/** What drafts are of: rules or libraries. */
export interface Drafted<Params extends z.ZodObject> {
  /** `/api/libraries/{library}`. */
  readonly path: string;
  /** `a rule`, as summaries say it. */
  readonly what: string;
  readonly params: Params;
  text(params: z.infer<Params>): Promise<VersionedText>;
  readonly published: z.ZodType;
  publish(
    params: z.infer<Params>,
    by: { readonly note: string; readonly author: string; readonly despite?: string | undefined; readonly revision: number; readonly overNewer: boolean },
  ): Promise<unknown>;
}

/** Reading, saving, discarding, comparing and publishing a draft. */
export function addDraftCalls<Params extends z.ZodObject>(api: Api, context: SyncContext, of: Drafted<Params>): void {
  const { db } = context;
  const { params, what } = of;
  const noSuch = { 404: "No such text" };
  addCall(
    api,
    {
      method: "get",
      path: `${of.path}/draft`,
      summary: `Read the draft of ${what}`,
      params,
      answer: { status: 200, schema: draftSchema, description: "The draft" },
      errors: { 404: "No such text, or no draft" },
    },
    async (given) => found(await readDraft(db, (await of.text(given.params)).draft), "draft"),
  );
  addCall(
    api,
    {
      method: "put",
      path: `${of.path}/draft`,
      summary: `Save the draft of ${what}`,
      description: "Refused with both texts when somebody else saved since the revision that the editor has. Nothing is overwritten.",
      params,
      body: draftBody,
      answer: { status: 200, schema: draftSchema, description: "The draft with its new revision" },
      errors: { ...noSuch, 409: "The draft is at another revision" },
    },
    async (given) => {
      try {
        return await keepDraft(context, await of.text(given.params), { ...given.body, author: given.author });
      } catch (error) {
        if (!(error instanceof OutOfDate)) throw error;
        throw new ApiError(409, error.code, error.message, undefined, { yours: given.body, theirs: error.present });
      }
    },
  );
  addCall(
    api,
    {
      method: "delete",
      path: `${of.path}/draft`,
      summary: `Discard the draft of ${what}`,
      params,
      query: revisionQuery,
      answer: { status: 200, schema: z.object({ discarded: z.literal(true) }), description: "It is gone" },
      errors: { ...noSuch, 409: "The draft is at another revision" },
    },
    async (given) => {
      await dropDraft(context, await of.text(given.params), given.query.revision);
      return { discarded: true };
    },
  );
  addCall(
    api,
    {
      method: "get",
      path: `${of.path}/draft/comparison`,
      summary: `Compare the draft of ${what} with what is active now`,
      params,
      answer: { status: 200, schema: comparisonSchema, description: "All lines, from the active version to the draft" },
      errors: { 404: "No such text, or no draft" },
    },
    async (given) => {
      const text = await of.text(given.params);
      const draft = found(await readDraft(db, text.draft), "draft");
      const active = await text.active(db);
      return { from: active === undefined ? "nothing" : `version ${active.number}`, to: "the draft", lines: compareLines(active?.source ?? "", draft.source) };
    },
  );
  addCall(
    api,
    {
      method: "post",
      path: `${of.path}/draft/publish`,
      summary: `Publish the draft of ${what}`,
      params,
      body: publishDraftBody,
      answer: { status: 201, schema: of.published, description: "Published; the draft is gone" },
      errors: { ...noSuch, 409: "The draft or the active version moved on", 422: "The draft does not check, or pinned samples fail" },
    },
    async (given) => {
      requireOverride(given.role, given.body.despite);
      return await of.publish(given.params, { ...given.body, author: given.author });
    },
  );
}
