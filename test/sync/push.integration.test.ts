import { createHmac, randomUUID } from "node:crypto";
import axios from "axios";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createApp } from "../../engine/server/app.ts";
import { hookPath } from "../../engine/server/hooks.ts";
import { listen } from "../../engine/server/listen.ts";
import { replaceToken } from "../../engine/store/tokens.ts";
import { caseOf } from "./facts.ts";
import { openSyncWorld, type SyncWorld, webhookSecret } from "./harness.ts";

let world: SyncWorld;
let server: Awaited<ReturnType<typeof listen>>;
let hook: string;

beforeAll(async () => {
  // So rare that nothing below can come from a poll that was due by itself.
  world = await openSyncWorld({ poll: "60m", push: { servicenow: "{ type: business-rule }" } });
  server = await listen(createApp({ context: world.context, compiler: world.node.compiler }), { host: "127.0.0.1", port: 0 });
  hook = `${server.url}${await hookPath(world.context, "helpdesk")}`;
});
afterAll(async () => {
  await server.close();
  await world.close();
});

interface Sent {
  readonly secret?: string;
  readonly eventId?: string;
  readonly at?: number;
  readonly to?: string;
}

async function send(sysId: string, { secret = webhookSecret, eventId = randomUUID(), at = Date.now(), to = hook }: Sent = {}) {
  const body = JSON.stringify({ event_id: eventId, table: "incident", sys_id: sysId, op: "insert" });
  const timestamp = String(Math.floor(at / 1000));
  const signature = createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex");
  return await axios.post(to, body, {
    headers: { "content-type": "application/json", "x-isobridge-timestamp": timestamp, "x-isobridge-signature": `sha256=${signature}` },
    validateStatus: () => true,
    proxy: false,
  });
}

async function hintsOfIncidents(): Promise<number> {
  const row = await world.db
    .selectFrom("watch")
    .select(({ fn }) => fn.sum<string>("hints").as("hints"))
    .where("entity_type", "=", "incident")
    .executeTakeFirstOrThrow();
  return Number(row.hints);
}

describe("a signed hint of a business rule", () => {
  test("brings the next poll forward, so that a new incident becomes a case at once", async () => {
    const incident = await world.desk.open({ short_description: "Told by a hint", urgency: "1" });
    expect((await send(incident)).status).toBe(202);
    const caseId = await caseOf(world, incident);
    expect(caseId).toMatch(/^500/);
  });

  test("counts once, however often it is delivered", async () => {
    const before = await hintsOfIncidents();
    const eventId = randomUUID();
    const answers = [];
    for (let n = 0; n < 3; n++) answers.push((await send("a".repeat(32), { eventId })).status);
    expect(answers).toEqual([202, 202, 202]);
    expect(await hintsOfIncidents()).toBeGreaterThan(before);
    const watches = await world.db.selectFrom("watch").select("id").where("entity_type", "=", "incident").execute();
    expect((await hintsOfIncidents()) - before).toBe(watches.length);
  });

  test("is refused with another secret, with an old time stamp and at another address, and changes nothing", async () => {
    const before = await hintsOfIncidents();
    expect((await send("b".repeat(32), { secret: "guessed" })).status).toBe(403);
    expect((await send("b".repeat(32), { at: Date.now() - 10 * 60_000 })).status).toBe(403);
    expect((await send("b".repeat(32), { to: `${server.url}/hooks/helpdesk/${"0".repeat(40)}` })).status).toBe(404);
    expect((await send("b".repeat(32), { to: `${server.url}/hooks/sales/${hook.split("/").at(-1)}` })).status).toBe(404);
    expect(await hintsOfIncidents()).toBe(before);
    expect(world.log.join()).not.toContain(webhookSecret);
  });

  test("does not bring a poll forward that waits because the platform refused", async () => {
    await world.db
      .updateTable("watch")
      .set({ problem: JSON.stringify({ code: "THROTTLED", message: "Too many calls." }) })
      .where("entity_type", "=", "incident")
      .execute();
    const before = await hintsOfIncidents();
    expect((await send("c".repeat(32))).status).toBe(202);
    expect(await hintsOfIncidents()).toBe(before);
    await world.db.updateTable("watch").set({ problem: null }).where("entity_type", "=", "incident").execute();
  });

  test("comes to an address that the API tells to admins, and that no other instance has", async () => {
    expect(await hookPath(world.context, "helpdesk")).toMatch(/^\/hooks\/helpdesk\/[0-9a-f]{40}$/);
    expect(await hookPath(world.context, "sales")).toBeNull();
    const told = async (role: "admin" | "viewer"): Promise<unknown> => {
      const headers = { authorization: `Bearer ${await replaceToken(world.db, role, role)}` };
      return (await axios.get(`${server.url}/api/instances/helpdesk`, { headers, proxy: false })).data.webhook;
    };
    expect(await told("admin")).toBe(await hookPath(world.context, "helpdesk"));
    expect(await told("viewer")).toBeNull();
  });
});
