import { expect, test } from "vitest";
import { openSyncWorld } from "./harness.ts";

test("a hundred new incidents with a comment each take no more calls than some batches", async () => {
  const world = await openSyncWorld({ start: false });
  try {
    for (let n = 0; n < 100; n++) await world.desk.open({ short_description: `Batch ${n}`, urgency: "1", comments: `word ${n}` });
    const before = world.salesforce.server.requests.length;
    await world.startRunners(1);
    await world.until("all have cases", async () => world.salesforce.org.tables.count("CaseComment") === 100);
    const made = world.salesforce.server.requests.slice(before);
    // Were anything done record by record, there would be at least a hundred. It is about 25, of which 8 write.
    expect(made.length).toBeLessThan(60);
    expect(made.filter(({ method, path }) => method === "POST" && path.endsWith("/composite/sobjects")).length).toBeLessThan(30);
  } finally {
    await world.close();
  }
});
