import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import axios from "axios";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { simulatedAccounts } from "../../connectors/salesforce/simulator/simulator.ts";
import { createApp } from "../../engine/server/app.ts";
import { listen } from "../../engine/server/listen.ts";
import { listInstances } from "../../engine/store/configuration.ts";
import { replaceToken } from "../../engine/store/tokens.ts";
import { openSyncWorld, type SyncWorld } from "./harness.ts";

let world: SyncWorld;
let server: Awaited<ReturnType<typeof listen>>;
let token: string;

beforeAll(async () => {
  world = await openSyncWorld({ caseQuery: "Origin = 'Phone'", context: { pace: { stoppedMs: 600_000, waitingMs: 300, doubtMs: 1_000 } } });
  server = await listen(createApp({ context: world.context, compiler: world.node.compiler }), { host: "127.0.0.1", port: 0 });
  token = await replaceToken(world.db, "operator", "operator");
});
afterAll(async () => {
  await server.close();
  await world.close();
});

async function check(name: string) {
  const headers = { authorization: `Bearer ${token}` };
  return await axios.post(`${server.url}/api/instances/${name}/check`, undefined, { headers, validateStatus: () => true, proxy: false });
}

async function stopped(name: string): Promise<boolean> {
  return (await listInstances(world.db)).find((row) => row.name === name)?.stopped !== null;
}

describe("checking an instance", () => {
  test("says who is signed in and what is missing", async () => {
    const { status, data } = await check("sales");
    expect(status).toBe(200);
    expect(data.account).toContain(simulatedAccounts.integration.username);
    expect(Array.isArray(data.problems)).toBe(true);
  });

  test("says why it is not let in, and lets a stopped instance go on at once when it is again", async () => {
    const body = [{ message: "Session expired or invalid", errorCode: "INVALID_SESSION_ID" }];
    world.salesforce.server.faults.arm({ path: "/services/data", times: 0, effect: { kind: "status", status: 401, body } });
    await world.until("the instance is stopped", async () => await stopped("sales"));
    const refused = await check("sales");
    expect(refused.status).toBe(502);
    expect(refused.data.error.code).toBe("AUTH_EXPIRED");
    expect(await stopped("sales")).toBe(true);
    world.salesforce.server.faults.clear();
    expect((await check("sales")).status).toBe(200);
    expect(await stopped("sales")).toBe(false);
    // Its polls were to wait for ten minutes.
    await world.until("its watches are polled again", async () => {
      const watches = await world.db
        .selectFrom("watch")
        .innerJoin("side", "side.id", "watch.side_id")
        .select("watch.problem")
        .where("side.name", "=", "SF")
        .execute();
      return watches.length > 0 && watches.every(({ problem }) => problem === null);
    });
  });

  test("of a name that nobody gave is not found, and says which there are", async () => {
    const { status, data } = await check("nobody");
    expect(status).toBe(404);
    expect(data.error.message).toBe("There is no instance nobody. The node has helpdesk, sales.");
  });

  test("from the command line says the same", async () => {
    const env = { ...process.env, DATABASE_URL: world.databaseUrl, ISOBRIDGE_DATA: world.folder, ISOBRIDGE_KEY: "" };
    const main = fileURLToPath(new URL("../../engine/main.ts", import.meta.url));
    const run = async (name: string) => await promisify(execFile)(process.execPath, ["--disable-warning=ExperimentalWarning", main, "instance", name], { env });
    expect((await run("sales")).stdout).toMatch(/^sales: signed in as .*integration@isobridge\.example/);
    await expect(run("nobody")).rejects.toMatchObject({ code: 1, stderr: "There is no instance nobody. The node has helpdesk, sales.\n" });
  });
});
