import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Program } from "../../sandbox/sandbox.ts";
import { ruleDeclarations } from "../declarations.ts";
import { incomingInput, outgoingInput, Workbench } from "../workbench.ts";
import { versionOf } from "./run-rule.ts";
import { type RecordedRun, recordedRun, replay, runSample, runSamples } from "./run-sample.ts";
import { type Sample, sampleOf } from "./sample.ts";

let bench: Workbench;
beforeAll(async () => {
  bench = await Workbench.start();
});
afterAll(async () => {
  await bench?.close();
});

async function program(source: string, direction: "outgoing" | "incoming"): Promise<Program> {
  const compiled = await bench.compiler.compile({ name: "rule.ts", source, declarations: ruleDeclarations(direction, []) });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  return { versionId: versionOf(compiled.code), name: `${direction}.ts`, code: compiled.code };
}

async function outcome(source: string, sample: Sample): Promise<unknown> {
  return (await runSample(bench.sandbox, await program(source, sample.direction), sample)).outcome;
}

function outgoing(more: object = {}): Sample {
  return sampleOf({ direction: "outgoing", entity: { entityType: "incident", number: "INC1", caller: "a@b" }, ...more }, "sample");
}

describe("a sample", () => {
  test("is run in the sandbox with the clock and the chance that it names", async () => {
    const rule = "replica.key = entity.number; replica.at = new Date().toISOString(); replica.chance = Math.random()";
    const first = await outcome(rule, outgoing({ now: "2026-03-01T00:00:00Z", seed: "a" }));
    expect(first).toMatchObject({ replica: { key: "INC1", at: "2026-03-01T00:00:00.000Z" } });
    expect(await outcome(rule, outgoing({ now: "2026-03-01T00:00:00Z", seed: "a" }))).toEqual(first);
    expect(await outcome(rule, outgoing({ now: "2026-03-01T00:00:00Z", seed: "b" }))).not.toEqual(first);
  });

  test("answers calls by name and arguments, whatever the order of keys, and the same call in the order recorded", async () => {
    const rule = `
      replica.one = (await lookup.one("sys_user", { active: true, email: entity.caller }))?.name;
      replica.first = await platform.get("/status");
      replica.second = await platform.get("/status");
      replica.third = await platform.get("/status");`;
    const status = { name: "platform.get", args: ["/status"] };
    const answers = [
      { call: { name: "lookup.one", args: ["sys_user", { email: "a@b", active: true }] }, value: { name: "Alice" } },
      { call: status, value: "waiting" },
      { call: status, value: "done" },
    ];
    expect(await outcome(rule, outgoing({ answers }))).toEqual({ replica: { one: "Alice", first: "waiting", second: "done", third: "done" } });
  });

  test("answers with an error that the rule may catch", async () => {
    const rule = 'try { await platform.get("/x") } catch (error) { replica.caught = error.code + " " + error.message }';
    const answers = [{ call: { name: "platform.get", args: ["/x"] }, error: { code: "TRANSIENT", message: "down" } }];
    expect(await outcome(rule, outgoing({ answers }))).toEqual({ replica: { caught: "TRANSIENT down" } });
  });

  test("that lacks an answer is an error which says what to add and where it was asked", async () => {
    const rule = 'const user =\n  await users.byEmail("nobody@x");\nreplica.user = user';
    expect(await outcome(rule, outgoing())).toEqual({
      error: {
        code: "NO_ANSWER",
        message:
          'users.byEmail("nobody@x") has no recorded answer; add it to "answers" of the sample, with what the platform would say instead of null: {"call":{"name":"users.byEmail","args":["nobody@x"]},"value":null}',
        line: 2,
        column: expect.any(Number),
      },
    });
  });

  test("that lacks an answer is an error even where the rule catches it", async () => {
    const rule = 'try { await users.byEmail("nobody@x") } catch {}\nreplica.key = "1"';
    expect(await outcome(rule, outgoing())).toMatchObject({ error: { code: "NO_ANSWER" } });
  });

  test("of an incoming rule gives only what would be written", async () => {
    const rule = `
      entity.short_description = replica.summary;
      entity.priority = "2";
      if (replica.closed) status("Closed");
      comments.merge(entity, replica);`;
    const sample = sampleOf(
      {
        direction: "incoming",
        replica: {
          summary: "new",
          closed: true,
          comments: [
            { id: "r1", body: "edited" },
            { id: "r2", body: "added", author: { displayName: "Bob" } },
          ],
        },
        previous: {
          summary: "old",
          comments: [
            { id: "r1", body: "was" },
            { id: "r3", body: "gone" },
          ],
        },
        entity: {
          entityType: "incident",
          short_description: "old",
          priority: 2,
          comments: [
            { id: "l1", body: "was" },
            { id: "l3", body: "gone" },
          ],
        },
        traces: { comments: { r1: "l1", r3: "l3" } },
      },
      "sample",
    );
    expect(await outcome(rule, sample)).toEqual({
      fields: { short_description: "new" },
      comments: { added: [{ body: "[Bob] added", remoteId: "r2" }], edited: [{ id: "l1", body: "edited" }], removed: ["l3"] },
      status: "Closed",
    });
  });

  test("keeps what the rule printed", async () => {
    const run = await runSample(bench.sandbox, await program('console.log("seen", entity.number)', "outgoing"), outgoing());
    expect(run.console).toEqual(["seen INC1"]);
  });

  test("is one of many that run at once and stay in order", async () => {
    const samples = Array.from({ length: 200 }, (_, index) => outgoing({ entity: { entityType: "incident", number: String(index) } }));
    const runs = await runSamples(bench.sandbox, await program("replica.key = entity.number", "outgoing"), samples);
    expect(runs.map((run) => run.outcome)).toEqual(samples.map((_, index) => ({ replica: { key: String(index) } })));
  });
});

describe("a recorded run", () => {
  async function recorded(source: string, direction: "outgoing" | "incoming"): Promise<RecordedRun> {
    const input = direction === "outgoing" ? outgoingInput : { ...incomingInput, replica: { summary: "new" } };
    const completion = await bench.run(source, input, async (calls) => calls.map(({ id }) => ({ id, ok: true, value: { id: "u1", displayName: "Alice" } })));
    // As it comes back from the database.
    return recordedRun(
      JSON.parse(
        JSON.stringify({ input, calls: completion.calls, output: completion.ok ? completion.value : null, error: completion.ok ? null : completion.error }),
      ),
    );
  }

  test("replayed on the same text comes to the same, without the platform", async () => {
    const source = 'replica.who = (await users.byEmail("a@b"))?.displayName; replica.at = Date.now(); replica.chance = Math.random()';
    const [again] = await replay(bench.sandbox, await program(source, "outgoing"), [await recorded(source, "outgoing")]);
    expect(again?.recorded).toMatchObject({ replica: { who: "Alice", at: outgoingInput.now } });
    expect(again?.differences).toEqual([]);
  });

  test("replayed on another text says what differs", async () => {
    const run = await recorded("entity.Subject = replica.summary", "incoming");
    const [again] = await replay(bench.sandbox, await program('entity.Subject = replica.summary + "!"; entity.Priority = "Low"', "incoming"), [run]);
    expect(again?.differences.map((each) => each.text)).toEqual(['fields.Subject: expected "new", got "new!"', 'fields.Priority: not expected, got "Low"']);
  });

  test("replayed on a text that asks for more is an error which names the call", async () => {
    const run = await recorded("replica.key = entity.key", "outgoing");
    const [again] = await replay(bench.sandbox, await program('replica.key = entity.key; replica.x = await lookup.get("User", "1")', "outgoing"), [run]);
    expect(again?.outcome).toMatchObject({ error: { code: "NO_ANSWER", message: expect.stringContaining('lookup.get("User", "1")') } });
  });

  test("that erred is replayed as well: a mended text differs, the same one does not", async () => {
    const source = 'throw new Error("boom")';
    const run = await recorded(source, "outgoing");
    expect(run.outcome).toMatchObject({ error: { code: "RULE_ERROR", line: 1 } });
    const [same] = await replay(bench.sandbox, await program(source, "outgoing"), [run]);
    expect(same?.differences).toEqual([]);
    const [mended] = await replay(bench.sandbox, await program('replica.key = "1"', "outgoing"), [run]);
    expect(mended?.differences[0]?.text).toMatch(/^expected the error RULE_ERROR at 1:\d+: .*boom.*, got a replica \(key\)$/);
  });
});
