import { z } from "@hono/zod-openapi";
import { libraryName } from "../rules/compile.ts";
import { listSides } from "../store/configuration.ts";
import { libraryDrafts } from "../store/drafts.ts";
import { activeLibraries, activeLibrary, importersOf, type LibraryVersion, libraryVersion, libraryVersions } from "../store/libraries.ts";
import { compareLines } from "../sync/compare.ts";
import { checkLibraries } from "../sync/libraries.ts";
import { activateLibraryVersion, publishLibraryDraft, publishLibraryText } from "../sync/library-publishing.ts";
import { RuleRefused } from "../sync/publish.ts";
import { libraryText } from "../sync/versioned-text.ts";
import type { ApiMeans } from "./api.ts";
import { type Api, addCall, byId, found } from "./calls.ts";
import { addDraftCalls } from "./draft-calls.ts";
import { requireOverride } from "./roles.ts";
import {
  activateBody,
  comparisonSchema,
  libraryCheckSchema,
  libraryListSchema,
  librarySchema,
  libraryVersionSchema,
  publishBody,
  publishedLibrarySchema,
  sourceBody,
} from "./rule-schemas.ts";
import { numberedQuery, pageOf } from "./schemas.ts";

const byLibrary = z.object({ library: z.string().regex(libraryName, "must be 1 to 100 letters, digits, - or _") });
const noSuchLibrary = { 404: "No such library" };

/** Libraries that the node's rules share. */
export function addLibraryCalls(api: Api, { context, compiler }: ApiMeans): void {
  const { db } = context;
  addCall(
    api,
    {
      method: "get",
      path: "/api/libraries",
      summary: "List the libraries that rules are compiled with now",
      answer: { status: 200, schema: libraryListSchema, description: "Libraries by name, and drafts of libraries" },
    },
    async () => ({ items: (await activeLibraries(db)).map(withoutSource), drafts: await libraryDrafts(db) }),
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/libraries/{library}",
      summary: "Read a library with the active rules that use it",
      params: byLibrary,
      answer: { status: 200, schema: librarySchema, description: "The active version" },
      errors: noSuchLibrary,
    },
    async ({ params }) => ({ ...found(await activeLibrary(db, params.library), `library ${params.library}`), usedBy: await usersOf(params.library) }),
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/libraries/{library}/versions",
      summary: "List the versions of a library, oldest first",
      params: byLibrary,
      query: numberedQuery,
      answer: { status: 200, schema: pageOf(libraryVersionSchema.omit({ source: true })), description: "Versions without their texts" },
      errors: noSuchLibrary,
    },
    async ({ params, query }) => {
      const after = query.after === undefined ? {} : { after: Number(query.after) };
      const rows = await libraryVersions(db, params.library, { ...after, limit: query.limit + 1 });
      if (rows.length === 0) found(await activeLibrary(db, params.library), `library ${params.library}`);
      const items = rows.slice(0, query.limit);
      return { items: items.map(withoutSource), next: rows.length > query.limit ? String(items.at(-1)?.number) : null };
    },
  );
  addCall(
    api,
    {
      method: "post",
      path: "/api/libraries/{library}/versions",
      summary: "Check a library and publish it as the next version",
      description:
        "It is checked together with every active rule that uses it, and refused with all errors when one would no longer check, or fail a pinned sample. With it, each of those rules gets a new version of the same text, active at once.",
      params: byLibrary,
      body: publishBody,
      answer: { status: 201, schema: publishedLibrarySchema, description: "Published, with the rules that follow" },
      errors: { 409: "Another version than `basedOn` is active", 422: "The library or a rule that uses it does not check, or a pinned sample fails" },
    },
    async ({ params, body, author, role }) => {
      requireOverride(role, body.despite);
      return await publishLibraryText(context, compiler, { name: params.library, source: body.source, basedOn: body.basedOn }, { ...body, author });
    },
  );
  addCall(
    api,
    {
      method: "post",
      path: "/api/libraries/{library}/check",
      summary: "Check a text of a library without publishing it",
      description: "Against every active rule that uses the library.",
      params: byLibrary,
      body: sourceBody,
      answer: { status: 200, schema: libraryCheckSchema, description: "What is wrong with it, if anything" },
    },
    async ({ params, body }) => {
      try {
        const { rules } = await checkLibraries(db, await compiler(), [{ name: params.library, source: body.source }]);
        return { ok: true, diagnostics: [], checkedWith: rules.map(({ side, checked }) => `${side.connectionName}/${side.name}/${checked.direction}.ts`) };
      } catch (error) {
        if (error instanceof RuleRefused) return { ok: false, diagnostics: error.diagnostics, checkedWith: [] };
        throw error;
      }
    },
  );
  addDraftCalls(api, context, {
    path: "/api/libraries/{library}",
    what: "a library",
    params: byLibrary,
    text: async ({ library }) => libraryText(library),
    published: publishedLibrarySchema,
    publish: async ({ library }, by) => await publishLibraryDraft(context, compiler, library, by),
  });
  addCall(
    api,
    {
      method: "get",
      path: "/api/library-versions/{id}",
      summary: "Read a version of a library with its text",
      params: byId,
      answer: { status: 200, schema: libraryVersionSchema, description: "The version" },
      errors: { 404: "No such version" },
    },
    async ({ params }) => found(await libraryVersion(db, params.id), "library version"),
  );
  addCall(
    api,
    {
      method: "post",
      path: "/api/library-versions/{id}/activate",
      summary: "Go back to a version of a library",
      description: "Its text becomes the next version with a note that names it, checked as any other.",
      params: byId,
      body: activateBody,
      answer: { status: 201, schema: publishedLibrarySchema, description: "Published, with the rules that follow" },
      errors: { 404: "No such version", 422: "A rule that uses the library would not check, or fail a pinned sample" },
    },
    async ({ params, body, author, role }) => {
      requireOverride(role, body.despite);
      return await activateLibraryVersion(context, compiler, params.id, { ...body, author });
    },
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/library-versions/{id}/comparison/{other}",
      summary: "Compare two versions of libraries line by line",
      params: byId.extend({ other: z.uuid() }),
      answer: { status: 200, schema: comparisonSchema, description: "All lines, from the first to the second" },
      errors: { 404: "No such version" },
    },
    async ({ params }) => {
      const from = found(await libraryVersion(db, params.id), "library version");
      const to = found(await libraryVersion(db, params.other), "library version");
      return { from: `version ${from.number}`, to: `version ${to.number}`, lines: compareLines(from.source, to.source) };
    },
  );

  async function usersOf(library: string) {
    const sides = new Map((await listSides(db)).map((side) => [side.id, side]));
    return (await importersOf(db, [library])).flatMap(({ sideId, direction, number, versionId }) => {
      const side = sides.get(sideId);
      return side === undefined ? [] : [{ connection: side.connectionName, side: side.name, direction, number, id: versionId }];
    });
  }
}

function withoutSource({ source: _, ...version }: LibraryVersion): Omit<LibraryVersion, "source"> {
  return version;
}
