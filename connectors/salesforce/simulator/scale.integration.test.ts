import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { describe, expect, it } from "vitest";
import { type Caller, callerOf, integration, type SimulatedOrg, simulatedOrg } from "./simulated-org.ts";

const start = Date.parse("2026-05-01T10:00:00Z");

describe("an org with a long history", () => {
  /** An org with so many cases, made a second apart in groups of a hundred; the last of them is returned. */
  const grown = async (cases: number): Promise<{ org: SimulatedOrg; call: Caller; last: string }> => {
    const org = await simulatedOrg();
    const control = async (path: string, body: unknown) =>
      (await fetch(`${org.simulator.url}/__control/${path}`, { method: "POST", body: JSON.stringify(body) })).json();
    let last = "";
    for (let made = 0; made < cases; made += 100) {
      org.simulator.server.clock.set({ frozenAt: start + made * 10 });
      const { ids } = (await control("seed", { object: "Case", count: 100, fields: { Subject: "Case {n}", Isobridge_Marker__c: `${made}-{n}` } })) as {
        ids: string[];
      };
      last = ids.at(-1) ?? "";
    }
    return { org, call: await org.caller(), last };
  };

  it("answers polls, look-ups by id, by marker and by children with as few rows visited as a small one", async () => {
    const visited: number[][] = [];
    for (const cases of [1000, 100_000]) {
      const { org, call, last } = await grown(cases);
      const { SystemModstamp, Isobridge_Marker__c } = (await call("GET", `/sobjects/Case/${last}`)).body;
      await call("POST", "/sobjects/CaseComment", { ParentId: last, CommentBody: "c" });
      const stamp = SystemModstamp.replace("+0000", "Z");
      const counts: number[] = [];
      for (const [soql, found] of [
        [`SELECT Id FROM Case WHERE SystemModstamp >= ${stamp} ORDER BY SystemModstamp, Id LIMIT 200`, 100],
        [
          `SELECT Id FROM Case WHERE (Status = 'New') AND SystemModstamp >= ${stamp} AND (SystemModstamp > ${stamp} OR Id > '${last}') ORDER BY SystemModstamp, Id LIMIT 200`,
          0,
        ],
        [`SELECT Id FROM Case WHERE OwnerId = '${org.simulator.org.tables.get("Case", last)?.OwnerId}' AND SystemModstamp >= ${stamp} LIMIT 200`, 100],
        [`SELECT Id FROM Case WHERE Id IN ('${last}')`, 1],
        [`SELECT Id FROM Case WHERE Isobridge_Marker__c = '${Isobridge_Marker__c}'`, 1],
        ["SELECT Id FROM Case ORDER BY SystemModstamp, Id LIMIT 50", 50],
        [`SELECT Id, (SELECT Id FROM CaseComments) FROM Case WHERE Id = '${last}'`, 1],
        [`SELECT Id FROM CaseComment WHERE ParentId IN (SELECT Id FROM Case WHERE Id = '${last}') AND SystemModstamp >= ${stamp}`, 1],
      ] as const) {
        const before = org.simulator.org.rowsVisited;
        expect((await call("GET", `/query?q=${encodeURIComponent(soql)}`)).body.totalSize, soql).toBe(found);
        counts.push(org.simulator.org.rowsVisited - before);
      }
      visited.push(counts);
      await org.close();
    }
    const [small, big] = visited;
    expect(big).toEqual(small);
    expect(Math.max(...(big ?? []))).toBeLessThanOrEqual(200);
  }, 180_000);
});

describe("a big file", () => {
  it("of 200 MB passes through a simulator that grows by far less, both ways, and is kept with its hash [D]", async () => {
    const source = `import { startSalesforceSimulator } from ${JSON.stringify(new URL("./simulator.ts", import.meta.url).href)};
      const { url, org, accounts, close } = await startSalesforceSimulator();
      console.log(JSON.stringify({ url, session: accounts.open([...org.rows("User")][0].Id) }));
      const before = process.memoryUsage.rss();
      process.stdin.once("end", async () => { console.log(JSON.stringify(process.resourceUsage().maxRSS * 1024 - before)); await close(); }).resume();`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", source], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const { url, session } = JSON.parse((await lines.next()).value ?? "") as { url: string; session: string };
    const piece = Buffer.alloc(1_000_000, 7);
    const pieces = 200;
    const md5 = createHash("md5");
    const form = async function* () {
      yield '--b\r\nContent-Disposition: form-data; name="VersionData"; filename="big.bin"\r\nContent-Type: application/octet-stream\r\n\r\n';
      for (let i = 0; i < pieces; i++) {
        md5.update(piece);
        yield piece;
      }
      yield '\r\n--b\r\nContent-Disposition: form-data; name="anything"\r\nContent-Type: application/json\r\n\r\n{"PathOnClient":"big.bin"}\r\n--b--\r\n';
    };
    const headers = { authorization: `Bearer ${session}`, "content-type": "multipart/form-data; boundary=b" };
    const sending = request(`${url}/services/data/v60.0/sobjects/ContentVersion`, { method: "POST", headers });
    const answered = new Promise<IncomingMessage>((resolve, reject) => sending.once("response", resolve).once("error", reject));
    await pipeline(Readable.from(form()), sending);
    const { id } = JSON.parse(await text(await answered)) as { id: string };
    const Checksum = md5.digest("hex");
    const call = callerOf(url, session);
    expect((await call("GET", `/sobjects/ContentVersion/${id}?fields=ContentSize,Checksum`)).body).toMatchObject({
      ContentSize: pieces * piece.length,
      Checksum,
    });
    const file = await fetch(`${url}/services/data/v60.0/sobjects/ContentVersion/${id}/VersionData`, { headers });
    const read = createHash("md5");
    for await (const chunk of file.body ?? []) read.update(chunk);
    expect([file.headers.get("content-length"), read.digest("hex")]).toEqual([String(pieces * piece.length), Checksum]);
    child.stdin.end();
    expect(Number((await lines.next()).value)).toBeLessThan((pieces * piece.length) / 2);
  }, 180_000);

  it("is refused in JSON above 37.5 MB, which is 50 MB of base64 [D]", async () => {
    const org = await simulatedOrg();
    const call = await org.caller();
    const refused = await call("POST", "/sobjects/ContentVersion", { PathOnClient: "a", VersionData: "A".repeat(52_428_801) });
    expect(refused).toMatchObject({ status: 413, body: [{ message: "Maximum size of request reached. Maximum size of request is 52428800 bytes." }] });
    await org.close();
  });

  it("in a form that ends early is refused", async () => {
    const org = await simulatedOrg();
    const session = org.simulator.accounts.open(org.simulator.org.rowsWith("User", "Username", integration)[0]?.Id ?? "");
    const response = await fetch(`${org.simulator.url}/services/data/v60.0/sobjects/ContentVersion`, {
      method: "POST",
      headers: { authorization: `Bearer ${session}`, "content-type": "multipart/form-data; boundary=b" },
      body: '--b\r\nContent-Disposition: form-data; name="VersionData"; filename="a"\r\n\r\nabc',
    });
    expect([response.status, ((await response.json()) as { errorCode: string }[])[0]?.errorCode]).toEqual([400, "INVALID_MULTIPART_REQUEST"]);
    await org.close();
  });
});

describe("events", () => {
  it("can be replayed after a restart, with the ids that they had", async () => {
    const folder = await mkdtemp(join(tmpdir(), "simulated-org-"));
    const first = await simulatedOrg({ folder });
    await (await first.caller())("POST", "/sobjects/Case", { Subject: "kept" });
    const before = first.simulator.events.after(-2, () => true);
    await first.close();
    const second = await simulatedOrg({ folder });
    expect(second.simulator.events.after(-2, () => true)).toEqual(before);
    await (await second.caller())("POST", "/sobjects/Case", { Subject: "later" });
    const replayIds = second.simulator.events.after(-2, () => true)?.map(({ replayId }) => replayId) ?? [];
    expect(new Set(replayIds).size).toBe(2);
    expect(replayIds).toEqual(replayIds.toSorted((a, b) => a - b));
    await second.close();
    await rm(folder, { recursive: true });
  });
});
