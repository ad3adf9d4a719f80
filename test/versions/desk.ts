import { Hono } from "hono";
import { createApp } from "../../engine/server/app.ts";
import { replaceToken } from "../../engine/store/tokens.ts";
import { openSyncWorld, type SyncWorld, type SyncWorldOptions } from "../sync/harness.ts";

export interface Answer {
  readonly status: number;
  /** Whatever JSON came: tests look into it freely, its shape is what is being tested. */
  readonly body: ReturnType<typeof JSON.parse>;
  readonly text: string;
}

/** A node between two simulated platforms, and its API as two people with tokens of their own use it. */
export interface RuleDesk {
  readonly world: SyncWorld;
  /** As Ada. */
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  asBen(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Text of what runs now. */
  activeSource(side: "SF" | "SN", direction: "outgoing" | "incoming"): Promise<string>;
  /** Makes an incident, and waits until it has a case. */
  syncedIncident(fields: Readonly<Record<string, string>>): Promise<{ readonly sysId: string; readonly number: string; readonly twin: string }>;
  close(): Promise<void>;
}

export function rule(side: "SF" | "SN", direction: "outgoing" | "incoming", rest = ""): string {
  return `/api/connections/support/sides/${side}/rules/${direction}${rest}`;
}

export async function openRuleDesk(options: SyncWorldOptions = {}): Promise<RuleDesk> {
  const world = await openSyncWorld(options);
  const app = new Hono().route("/", createApp({ context: world.context, compiler: world.node.compiler }));
  const callAs =
    (token: string) =>
    async (method: string, path: string, body?: unknown): Promise<Answer> => {
      const response = await app.request(path, {
        method,
        headers: { authorization: `Bearer ${token}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, text, body: text.startsWith("{") ? JSON.parse(text) : undefined };
    };
  const call = callAs(await replaceToken(world.db, "ada"));
  return {
    world,
    call,
    asBen: callAs(await replaceToken(world.db, "ben")),
    async activeSource(side, direction) {
      const [active] = (await call("GET", `/api/rules?connection=support&side=${side}&direction=${direction}`)).body.items;
      return (await call("GET", `/api/rule-versions/${active.id}`)).body.source;
    },
    async syncedIncident(fields) {
      const sysId = world.servicenow.plant("incident", { urgency: "1", impact: "1", ...fields });
      const twin = await world.until("the incident has a case", async () =>
        (await call("GET", `/api/twins?key=${sysId}`)).body.items.find((item: { state: string }) => item.state === "tied"),
      );
      await world.settled();
      return { sysId, number: world.servicenow.rows("incident").find((row) => row["sys_id"] === sysId)?.["number"] ?? "", twin: twin.id };
    },
    close: async () => await world.close(),
  };
}
