import { z } from "zod";
import type { Condition, Connector, Entity, Json } from "../../connectors/connector.ts";
import { ConnectorError } from "../../connectors/errors.ts";
import type { HelperAnswer, HelperCall } from "../sandbox/completion.ts";
import type { SideRow } from "../store/configuration.ts";
import { localRecordFor, twinsOfRecords } from "../store/twins.ts";
import type { SyncContext } from "./context.ts";
import { entityView } from "./entity-view.ts";
import { platformRequest } from "./platform-request.ts";

const lookupLimit = 200;
const conditions = z.record(z.string(), z.json());

/** Answers what a rule asked of the host. Never throws: a call that fails becomes an error that the rule may catch. */
export async function answerCalls(context: SyncContext, side: SideRow, calls: readonly HelperCall[]): Promise<HelperAnswer[]> {
  const { connector } = await context.connectors.instance(side.instanceId);
  return await Promise.all(
    calls.map(async (call): Promise<HelperAnswer> => {
      try {
        return { id: call.id, ok: true, value: await answer(context, side, connector, call) };
      } catch (error) {
        return { id: call.id, ok: false, error: publicError(call, error) };
      }
    }),
  );
}

async function answer(context: SyncContext, side: SideRow, connector: Connector, call: HelperCall): Promise<Json> {
  switch (call.name) {
    case "users.byEmail": {
      const [email] = z.tuple([z.string().min(1)]).parse(call.args);
      return asJson((await connector.findUser({ email })) ?? null);
    }
    case "users.byUsername": {
      const [username] = z.tuple([z.string().min(1)]).parse(call.args);
      return asJson((await connector.findUser({ username })) ?? null);
    }
    case "lookup.one": {
      const [type, wanted] = z.tuple([z.string().min(1), conditions]).parse(call.args);
      const [found] = await connector.find(type, equalTo(wanted), 1);
      return found === undefined ? null : view(found);
    }
    case "lookup.many": {
      const [type, wanted, limit] = z.tuple([z.string().min(1), conditions, z.int().min(1).max(lookupLimit).default(50)]).parse(call.args);
      return (await connector.find(type, equalTo(wanted), limit)).map(view);
    }
    case "lookup.get": {
      const [type, id] = z.tuple([z.string().min(1), z.string().min(1)]).parse(call.args);
      const [outcome] = await connector.read([{ type, id }]);
      if (outcome?.ok === true) return view(outcome.entity);
      if (outcome?.error.code === "NOT_FOUND_OR_HIDDEN" || outcome?.error.code === "DELETED") return null;
      throw outcome?.error ?? new Error("The platform gave no answer.");
    }
    case "platform.get": {
      const [path] = z.tuple([z.string().startsWith("/")]).parse(call.args);
      return await platformRequest(context, side, connector, { method: "GET", path });
    }
    case "platform.request": {
      const [method, path, body] = z.tuple([z.string(), z.string().startsWith("/"), z.json().optional()]).parse(call.args);
      return await platformRequest(context, side, connector, { method, path, body });
    }
    case "twins.localFor": {
      const [remoteKey, type] = z.tuple([z.string().min(1), z.string().nullish()]).parse(call.args);
      const local = await localRecordFor(context.db, side, remoteKey, type ?? undefined);
      return local === undefined ? null : asJson({ type: local.type, id: local.id, key: local.key, display: local.key ?? local.id });
    }
    case "twins.isSynced": {
      const [ref] = z.tuple([z.object({ type: z.string(), id: z.string() })]).parse(call.args);
      return (await twinsOfRecords(context.db, side.id, ref.type, [ref.id])).length > 0;
    }
    default:
      throw new Error(`There is no helper ${call.name}.`);
  }
}

function equalTo(wanted: Readonly<Record<string, unknown>>): Condition[] {
  return Object.entries(wanted).map(([field, value]) => ({ field, operator: "=", value: value as Json }));
}

// What was found can be assigned to a reference field, and those go by `id`.
function view(entity: Entity): Json {
  return asJson({ ...entityView(entity), id: entity.ref.id });
}

/** For values that are JSON by construction but whose interfaces TypeScript does not count as such. */
function asJson(value: object | null): Json {
  return value as Json;
}

function publicError(call: HelperCall, error: unknown): { code: string; message: string } {
  if (error instanceof ConnectorError) return { code: error.code, message: error.message };
  if (error instanceof z.ZodError)
    return { code: "BAD_ARGUMENTS", message: `${call.name} was called with arguments that do not fit: ${z.prettifyError(error)}` };
  // Anything else is ours and may hold what a rule must not see.
  return { code: "HELPER_FAILED", message: `${call.name} failed inside Isobridge; the log of the node says why.` };
}
