import { Hono } from "hono";
import { z } from "zod";
import { ApiError } from "./api-error.ts";
import type { ApiApp, ApiEnv, SimulatorContext } from "./context.ts";
import { createRecord } from "./new-record.ts";
import type { Input, Org } from "./org.ts";
import type { OrgObject } from "./schema.ts";

interface Node {
  readonly type: string;
  readonly referenceId: string;
  readonly fields: Input;
  /** The field by which it belongs to its parent. */
  readonly parentField: string | undefined;
  readonly children: readonly Node[];
}

const recordsSchema = z.looseObject({
  records: z.array(z.looseObject({ attributes: z.looseObject({ type: z.string(), referenceId: z.string() }) })),
});
const treeLimit = 200;
const depthLimit = 5;

/** `POST /composite/tree/{T}`: records with their children nested in them, created all or none [D]. */
export function treeRoutes({ org, events }: SimulatorContext): ApiApp {
  const app = new Hono<ApiEnv>();

  app.post("/composite/tree/:type", async (c) => {
    const roots = nodesOf(org, org.object(c.req.param("type")), await c.req.json(), undefined, 1);
    if (countOf(roots) > treeLimit) throw new ApiError(400, "INVALID_INPUT", `The request has more than ${treeLimit} records`);
    let at = "";
    const create = (node: Node, parentId: string | undefined): { referenceId: string; id: string }[] => {
      at = node.referenceId;
      const input = node.parentField === undefined ? node.fields : { ...node.fields, [node.parentField]: parentId };
      const { id } = createRecord(org, events, node.type, input, c.var.caller);
      return [{ referenceId: node.referenceId, id }, ...node.children.flatMap((child) => create(child, id))];
    };
    try {
      return c.json({ hasErrors: false, results: org.transactions.save(() => roots.flatMap((root) => create(root, undefined))) }, 201);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const { errorCode, message, fields } = error;
      return c.json({ hasErrors: true, results: [{ referenceId: at, errors: [{ statusCode: errorCode, message, fields }] }] }, 400);
    }
  });

  return app;
}

/** The records of one level; those nested under a child relationship's name are their children. */
function nodesOf(org: Org, object: OrgObject, body: unknown, parentField: string | undefined, depth: number): Node[] {
  const given = recordsSchema.safeParse(body);
  if (!given.success) throw new ApiError(400, "INVALID_INPUT", `Include a reference ID and a type for each record: ${z.prettifyError(given.error)}`);
  if (depth > depthLimit) throw new ApiError(400, "INVALID_INPUT", `The records are nested more than ${depthLimit} levels deep`);
  return given.data.records.map(({ attributes, ...rest }) => {
    if (attributes.type.toLowerCase() !== object.name.toLowerCase())
      throw new ApiError(400, "INVALID_INPUT", `The record ${attributes.referenceId} is no ${object.name}`);
    const relationships = org.schema.children(object.name);
    const fields: Record<string, unknown> = {};
    const children: Node[] = [];
    for (const [name, value] of Object.entries(rest)) {
      const child = relationships.find(({ relationshipName }) => relationshipName?.toLowerCase() === name.toLowerCase());
      if (child === undefined || typeof value !== "object") fields[name] = value;
      else children.push(...nodesOf(org, org.object(child.childObject), value, child.field, depth + 1));
    }
    return { type: object.name, referenceId: attributes.referenceId, fields, parentField, children };
  });
}

function countOf(nodes: readonly Node[]): number {
  return nodes.reduce((count, { children }) => count + 1 + countOf(children), 0);
}
