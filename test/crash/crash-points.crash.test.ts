import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { crashPoints } from "../../engine/sync/context.ts";
import { caseOf } from "../sync/facts.ts";
import { openSyncWorld, type SyncWorld } from "../sync/harness.ts";
import { type ChildNode, startChild } from "./child.ts";
import { type Expected, expectEverythingOnce } from "./once.ts";

let world: SyncWorld;
const children: ChildNode[] = [];
const everything: Expected[] = [];
/** Pairs that are in step already, one for each point. */
const tied = new Map<string, { readonly incident: string; readonly caseId: string }>();

beforeAll(async () => {
  // Triggers on both sides: a case that we made must not be taken for a new one, whenever we die.
  world = await openSyncWorld({ start: false, caseQuery: "Priority != 'Low'" });
  const first = await child();
  for (const point of crashPoints) {
    const incident = await world.desk.open({ short_description: `At ${point}: tied`, description: "as it was", urgency: "1" });
    tied.set(point, { incident, caseId: await caseOf(world, incident) });
  }
  await world.settled();
  await first.stop();
});
afterEach(async () => {
  await Promise.all(children.splice(0).map(async (child) => await child.kill()));
});
afterAll(async () => {
  await world.close();
});

async function child(dieAt?: { point: (typeof crashPoints)[number]; passing: number }): Promise<ChildNode> {
  const started = await startChild({ folder: world.folder, databaseUrl: world.databaseUrl, ...(dieAt === undefined ? {} : { dieAt }) });
  children.push(started);
  return started;
}

describe("a node killed with -9 at any step and started again does everything once", () => {
  test.each(crashPoints)("at %s, and once more while it recovers", async (point) => {
    const { desk, sales } = world;
    // One pair that is in step already and was edited on both sides, and two incidents that have no case yet.
    const subject = `At ${point}: tied`;
    const { incident, caseId } = tied.get(point) ?? { incident: "", caseId: "" };
    await desk.change(incident, { short_description: `${subject} and renamed` });
    await desk.change(incident, { comments: `${subject} desk` });
    await sales.change(caseId, { Description: `${subject} sales` });
    await sales.comment(caseId, `${subject} sales`);
    await sales.attach(caseId, "sales.txt", Buffer.from("sales"));
    const mine: Expected[] = [{ incident, subject, comments: [`${subject} desk`, `${subject} sales`], files: ["sales.txt"] }];
    for (const n of [1, 2]) {
      const name = `At ${point}: new ${n}`;
      const id = await desk.open({ short_description: name, description: "new", urgency: "1", comments: `${name} first` });
      await desk.attach(id, `desk ${n}.txt`, "text/plain", Buffer.from(`desk ${n}`));
      await desk.change(id, { comments: `${name} second` });
      mine.push({ incident: id, subject: name, comments: [`${name} first`, `${name} second`], files: [`desk ${n}.txt`] });
    }
    everything.push(...mine);

    expect(await (await child({ point, passing: 1 })).gone).toBe("SIGKILL");
    const second = await child({ point, passing: 2 });
    // It may be done before it gets there a second time.
    const died = await Promise.race([
      second.gone,
      world.settled().then(
        () => "done",
        () => "dead",
      ),
    ]);
    if (died !== "done") await child();
    await world.settled();

    await expectEverythingOnce(world, mine);
    expect(await desk.incident(incident)).toMatchObject({ short_description: `${subject} and renamed`, description: `${subject} sales` });
  });

  test("and in the end there are as many cases as incidents, on which nobody writes any more", async () => {
    await child();
    const writes = (): number =>
      // ServiceNow's batches may hold nothing but reads.
      [...world.servicenow.requests, ...world.salesforce.server.requests].filter(
        ({ method, path, body }) =>
          method !== "GET" && !/oauth2|composite$/.test(path) && !(path.endsWith("/batch") && !/"method":\s*"(POST|PUT|PATCH|DELETE)"/.test(body)),
      ).length;
    await world.settled();
    const before = writes();
    await world.settled();
    expect(writes()).toBe(before);
    expect(await world.sales.query("SELECT Id FROM Case")).toHaveLength(everything.length);
    expect(everything).toHaveLength(3 * crashPoints.length);
  });
});
