import { spawn } from "node:child_process";
import { describe, expect, test } from "vitest";
import { runText, startWorkshop } from "./workshop.ts";

/** A process in the place of our child that answers as a captured one might. `say(header, payload)` writes a frame; `heard` is called with each. */
function liar(script: string): () => ReturnType<typeof spawnLiar> {
  return () => spawnLiar(script);
}

function spawnLiar(script: string) {
  const program = `
    const say = (header, payload = "") => { const body = Buffer.from(JSON.stringify(header) + "\\n" + payload); const head = Buffer.alloc(4); head.writeUInt32LE(body.length); process.stdout.write(Buffer.concat([head, body])); };
    let rest = Buffer.alloc(0);
    process.stdin.on("data", (chunk) => { rest = Buffer.concat([rest, chunk]); while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32LE(0)) { const frame = rest.subarray(4, 4 + rest.readUInt32LE(0)); rest = rest.subarray(4 + frame.length); heard(JSON.parse(frame.subarray(0, frame.indexOf(10)).toString()), frame.subarray(frame.indexOf(10) + 1).toString()); } });
    process.stdin.on("end", () => process.exit());
    say({ type: "ready" });
    ${script}`;
  return spawn(process.execPath, ["--eval", program], { stdio: ["pipe", "pipe", "pipe"] });
}

const done = `d\n${JSON.stringify({ state: "done", console: [] })}`;

describe("PRO-04: a child that lies", () => {
  test.each([
    ["sends bytes that are no frames", `const heard = ({ type }) => { if (type === "work") process.stdout.write("hello, this is no frame at all") }`],
    ["announces a frame of a gigabyte", `const heard = ({ type }) => { if (type === "work") process.stdout.write(Buffer.from([0, 0, 0, 64])) }`],
    ["sends a header that is no message", `const heard = ({ type }) => { if (type === "work") say({ type: "give me everything" }) }`],
    ["answers without a result", `const heard = ({ type, runs }) => { if (type === "work") say({ type: "steps", runs }, "nonsense") }`],
    [
      "answers with a result that is no JSON",
      `const heard = ({ type, runs }) => { if (type === "work") say({ type: "steps", runs }, ${JSON.stringify(`${done}\n{{{{`)}) }`,
    ],
    [
      "asks for calls out of their order",
      `const heard = ({ type, runs }) => { if (type === "work") say({ type: "steps", runs }, ${JSON.stringify(`c\n{"state":"calls","console":[]}\n[{"id":7,"name":"x","args":[]}]`)}) }`,
    ],
    [
      "asks for more calls than it may",
      `const heard = ({ type, runs }) => { if (type === "work") say({ type: "steps", runs }, 'c\\n{"state":"calls","console":[]}\\n' + JSON.stringify(Array.from({ length: 9 }, (_, i) => ({ id: i + 1, name: "x", args: [] })))) }`,
    ],
    ["dies at once", `const heard = ({ type }) => { if (type === "work") process.kill(process.pid, "SIGKILL") }`],
  ])("that %s is killed, and its run fails without a result", async (_what, script) => {
    const pool = await startWorkshop({ children: 1, spawn: liar(script) });
    const completion = await runText(pool, "out.a = 1");
    expect(completion).toMatchObject({ ok: false, error: { kind: "crash", code: "CRASHED" } });
    expect(pool.stats().kills).toBeGreaterThan(0);
    await pool.close();
  });

  test("that answers twice is heard once", async () => {
    const script = `const heard = ({ type, runs }) => { if (type === "work") { say({ type: "steps", runs }, ${JSON.stringify(`${done}\n{"first":1}`)}); say({ type: "steps", runs }, ${JSON.stringify(`${done}\n{"second":2}`)}) } }`;
    const pool = await startWorkshop({ children: 1, spawn: liar(script) });
    expect(await runText(pool, "")).toMatchObject({ ok: true, value: { first: 1 } });
    expect(await runText(pool, "")).toMatchObject({ ok: true, value: { first: 1 } });
    await pool.close();
  });

  test("that answers for another child's run is killed, and that run is not touched", async () => {
    const script = `const heard = ({ type, runs }) => { if (type !== "work") return; const [run] = runs; for (let other = 1; other < run; other += 1) say({ type: "steps", runs: [other] }, ${JSON.stringify(`${done}\n{"stolen":true}`)}); if (run > 1) say({ type: "steps", runs }, ${JSON.stringify(`${done}\n{"own":true}`)}); else setTimeout(() => say({ type: "steps", runs }, ${JSON.stringify(`${done}\n{"honest":true}`)}), 500) }`;
    const pool = await startWorkshop({ children: 2, spawn: liar(script) });
    const first = runText(pool, "", { owner: "a" });
    await expect.poll(() => pool.stats().inFlight, { timeout: 20_000 }).toBe(1);
    const second = runText(pool, "", { owner: "b" });
    expect(await first).toMatchObject({ ok: true, value: { honest: true } });
    expect(await second).toMatchObject({ ok: false, error: { code: "CRASHED" } });
    await pool.close();
  });

  test("that sends a result beyond the limits fails that run only", async () => {
    const script = `const heard = ({ type, runs }) => { if (type === "work") say({ type: "steps", runs }, ${JSON.stringify(`${done}\n`)} + "[".repeat(100000) + "]".repeat(100000)) }`;
    const pool = await startWorkshop({ children: 1, spawn: liar(script) });
    expect(await runText(pool, "")).toMatchObject({ ok: false, error: { kind: "limit", code: "LIMIT_RESULT" } });
    await pool.close();
  });

  test("that says nothing any more is found out by the clock", async () => {
    const pool = await startWorkshop({ children: 1, spawn: liar(`const heard = ({ type, runs }) => { if (type === "work") say({ type: "begin", runs }) }`) });
    expect(await runText(pool, "", { limits: { cpuMs: 100 } })).toMatchObject({ ok: false, error: { kind: "timeout", code: "LIMIT_CPU" } });
    await pool.close();
  });
});

test("a child that cannot start is said so, with its words", async () => {
  await expect(
    startWorkshop({ spawn: () => spawn(process.execPath, ["--eval", "console.error('no such luck'); process.exit(1)"], { stdio: ["pipe", "pipe", "pipe"] }) }),
  ).rejects.toThrow("no such luck");
});
