import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { describe, expect } from "vitest";
import type { Connector, EntityRef } from "../connector.ts";
import type { ConnectorErrorCode } from "../errors.ts";
import type { Trouble } from "./proxy.ts";
import { commentOf, download, expectCode, fileOf, type Stage, type Suite } from "./stage.ts";

const html = "<!DOCTYPE html><html><head><title>Log in</title></head><body><form>Please log in</form></body></html>";
const web = { "content-type": "text/html;charset=UTF-8" };

/** Answers that are none, calls that come to nothing, and what is said about them. */
export function troubleCases({ it, facts }: Suite, platformName: string): void {
  const reads: Readonly<Record<string, (connector: Connector, ref: EntityRef) => Promise<unknown>>> = {
    check: (connector) => connector.check(),
    describe: (connector) => connector.describe(facts.entityType),
    read: (connector, ref) => connector.read([ref]),
    find: (connector) => connector.find(facts.entityType, [], 3),
    findByKey: (connector, ref) => connector.findByKey(facts.entityType, ref.id),
    findUser: (connector) => connector.findUser({ email: "nobody@nowhere.example" }),
    poll: (connector) => connector.poll({ entityType: facts.entityType, query: "" }, undefined, 5, new Date(0).toISOString()),
    request: (connector) => connector.request("GET", facts.freePath),
  };
  const troubles: readonly (readonly [string, Trouble, readonly ConnectorErrorCode[]])[] = [
    ["a login page with status 200", { kind: "instead", answer: { status: 200, headers: web, body: html } }, ["PROTOCOL"]],
    ["a web page that says it is JSON", { kind: "instead", answer: { status: 200, body: html } }, ["PROTOCOL"]],
    [
      "a redirect to a sign-in page elsewhere",
      { kind: "instead", answer: { status: 302, headers: { location: "https://sso.example/login" }, body: "" } },
      ["PROTOCOL"],
    ],
    ["a web page with status 503", { kind: "instead", answer: { status: 503, headers: web, body: html } }, ["TRANSIENT"]],
    ["half of an answer", { kind: "truncated" }, ["TRANSIENT", "PROTOCOL"]],
    ["JSON that breaks off", { kind: "instead", answer: { status: 200, body: '{"result":[{"a":' } }, ["PROTOCOL"]],
    ["JSON of another shape", { kind: "instead", answer: { status: 200, body: '"hello"' } }, ["PROTOCOL"]],
    ["a dropped connection", { kind: "reset" }, ["TRANSIENT"]],
    ["an outage", { kind: "instead", answer: facts.unavailable }, ["TRANSIENT"]],
    ["a gateway that gives up", { kind: "instead", answer: { status: 504, body: "" } }, ["TRANSIENT"]],
  ];

  describe("meets", () => {
    for (const [what, trouble, codes] of troubles) {
      it(`${what}: each kind of read is ${codes.join(" or ")}, certain, soon given up, and works again afterwards`, async (stage) => {
        const ref = await stage.record("trouble");
        for (const [name, read] of Object.entries(reads)) {
          // The free path gives what it gets, as far as it is JSON.
          if (name === "request" && what === "JSON of another shape") continue;
          const connector = stage.connect();
          // Signs in, and learns as little as possible besides.
          await connector.findUser({ email: "somebody@nowhere.example" });
          const spoiled = stage.spoil(trouble, (request) => !facts.isSignIn(request));
          const error = await stage.failure(read(connector, ref));
          expectCode(error, codes, name);
          expect([name, error.uncertain]).toEqual([name, false]);
          expect(stage.mostRepeats(spoiled), `${name}: tries of one call`).toBeLessThanOrEqual(3);
          stage.meddle();
          await read(connector, ref);
        }
      });
    }

    it("a passing trouble: reads are tried again and nobody notices", async (stage) => {
      const ref = await stage.record("passing");
      await stage.connector.read([ref]);
      for (const trouble of [{ kind: "reset" }, { kind: "lost" }, { kind: "truncated" }, { kind: "instead", answer: facts.unavailable }] as const) {
        stage.spoil(trouble, () => true, 1);
        expect(await stage.field(ref, facts.fields.title), trouble.kind).toBe("passing");
      }
    });

    it("an answer that comes in small pieces, and takes it", async (stage) => {
      const ref = await stage.record("slow");
      await stage.connector.check();
      stage.spoil({ kind: "drip" }, () => true);
      expect(await stage.field(ref, facts.fields.title)).toBe("slow");
    });

    it("an answer that never comes, and gives up in time: a read is TRANSIENT, a write uncertain", async (stage) => {
      const ref = await stage.record("silence");
      const connector = stage.connect({ deadlineMs: 400 });
      await connector.check();
      await connector.read([ref]);
      stage.spoil({ kind: "silence" }, (request) => !facts.isWrite(request));
      expectCode(await stage.failure(connector.read([ref])), ["TRANSIENT"], "silence");
      stage.spoil({ kind: "silence" }, facts.isWrite);
      const error = await stage.refusal(commentOf(ref, "silence"), connector);
      expect([error.code, error.uncertain]).toEqual(["TRANSIENT", true]);
    });

    for (const { what, answer, retryAfterMs } of facts.throttled) {
      it(`${what}: THROTTLED${retryAfterMs === undefined ? "" : " with the wait that was asked for"}, no storm of calls, and a write that is certain not to have happened`, async (stage) => {
        const ref = await stage.record("throttled");
        await stage.connector.check();
        await stage.connector.read([ref]);
        const spoiled = stage.spoil({ kind: "instead", answer }, () => true);
        const error = await stage.failure(stage.connector.read([ref]));
        expect(error.code).toBe("THROTTLED");
        if (retryAfterMs !== undefined) expect(error.retryAfterMs).toBe(retryAfterMs);
        expect(stage.mostRepeats(spoiled), "tries of one call").toBeLessThanOrEqual(retryAfterMs === undefined ? 3 : 1);
        for (const operation of [commentOf(ref, "never"), stage.createOf("never"), fileOf(ref, "never.txt", Buffer.from("x"))]) {
          const refused = await stage.refusal(operation);
          expect([refused.code, refused.uncertain], operation.kind).toEqual(["THROTTLED", false]);
          if (retryAfterMs !== undefined) expect(refused.retryAfterMs).toBe(retryAfterMs);
        }
        stage.meddle();
        const entity = await stage.entity(ref);
        expect([entity.comments, entity.attachments, await stage.titled("never")]).toEqual([[], [], []]);
      });
    }

    it("throttling in the middle of a batch: what was done is said to be done, and the rest can be repeated", async (stage) => {
      const refs = [];
      for (let n = 0; n < 3; n++) refs.push(await stage.record(`record ${n}`));
      await stage.connector.read(refs);
      const [throttled] = facts.throttled;
      let writes = 0;
      stage.meddle((request) =>
        throttled !== undefined && facts.isWrite(request) && ++writes > 1 ? { kind: "instead", answer: throttled.answer } : undefined,
      );
      const operations = refs.flatMap((ref) => [commentOf(ref, "one"), fileOf(ref, "two.txt", Buffer.from("two")), commentOf(ref, "three")]);
      const outcomes = await stage.connector.write(operations);
      stage.meddle();
      for (const [n, outcome] of outcomes.entries()) {
        const operation = operations[n];
        if (outcome.ok || operation === undefined) continue;
        expect([stage.connectorError(outcome.error).code, outcome.error.uncertain]).toEqual(["THROTTLED", false]);
        await stage.done(operation);
      }
      for (const ref of refs) {
        const entity = await stage.entity(ref);
        expect([entity.comments.map(({ body }) => body).toSorted(), entity.attachments.length]).toEqual([["one", "three"], 1]);
      }
    });
  });

  describe("keeps to its instance", () => {
    it("and takes its credentials to no other host, wherever an answer points", async (stage) => {
      const elsewhere = await listen();
      const ref = await stage.record("home");
      await stage.connector.check();
      for (const status of [301, 302, 303, 307, 308]) {
        stage.spoil({ kind: "instead", answer: { status, headers: { location: `${elsewhere.url}/steal` }, body: "" } }, () => true);
        await stage.failure(stage.connect().check());
        await stage.failure(stage.connector.read([ref]));
        await stage.refusal(commentOf(ref, "x"));
        await stage.failure(stage.connector.request("GET", facts.freePath));
      }
      expect(elsewhere.asked).toEqual([]);
      await elsewhere.close();
    });

    it("and its free requests too, whatever the path looks like", async (stage) => {
      const elsewhere = await listen();
      await stage.connector.check();
      const { host } = new URL(elsewhere.url);
      for (const path of ["", "x", `//${host}/`, `/\\${host}/`, `${elsewhere.url}/`, `@${host}/`, `:80@${host}/`, "https:", `\\\\${host}`, "/\n/x"]) {
        const error = await stage.failure(stage.connector.request("GET", path));
        expectCode(error, ["BAD_REQUEST", "NOT_FOUND_OR_HIDDEN"], path);
      }
      expectCode(await stage.failure(stage.connector.request("TRACE\r\nX: 1", facts.freePath)), ["BAD_REQUEST"], "method");
      expect(elsewhere.asked).toEqual([]);
      await elsewhere.close();
    });
  });

  describe("tells no secret", () => {
    const echoes: readonly (readonly [string, number])[] = [
      ["a refusal", 400],
      ["a lack of rights", 403],
      ["an outage", 500],
      ["a success", 200],
    ];
    for (const [what, status] of echoes) {
      it(`in the error of any operation, when ${what} repeats all that was sent`, async (stage) => {
        const ref = await stage.record("secret");
        const file = await stage.done(fileOf(ref, "secret.txt", Buffer.from("secret")));
        await stage.connector.read([ref]);
        for (const html of [false, true]) {
          stage.meddle((request) => {
            const sent = JSON.stringify({ headers: request.headers, body: request.body.toString("latin1"), path: request.path });
            // In the shapes in which platforms complain, so that some of it becomes part of a message.
            const body = JSON.stringify([
              { message: `you sent ${sent}`, errorCode: "ECHO", error: { message: `you sent ${sent}`, detail: sent }, error_description: sent },
            ]);
            const single = JSON.stringify({ error: { message: `you sent ${sent}`, detail: sent }, message: sent, error_description: sent, errorCode: "ECHO" });
            return {
              kind: "instead",
              answer: { status, headers: html ? web : {}, body: html ? `<html>${sent}</html>` : stage.proxy.requests.length % 2 === 0 ? body : single },
            };
          });
          await outcomesOf(stage, ref, file, reads);
        }
      });
    }

    it("in the errors of a network that fails, nor when it is looked into", async (stage) => {
      const ref = await stage.record("secret");
      const file = await stage.done(fileOf(ref, "secret.txt", Buffer.from("secret")));
      for (const kind of ["reset", "lost", "truncated"] as const) {
        stage.spoil({ kind }, () => true);
        await outcomesOf(stage, ref, file, reads);
      }
      stage.meddle();
      const shown = inspect(stage.connector, { depth: 12, showHidden: true, maxStringLength: null }) + JSON.stringify(stage.connector);
      for (const secret of facts.secrets) expect(shown.includes(secret), `${platformName} shows a secret when it is looked into`).toBe(false);
    });
  });

  /** Runs everything; what fails is kept by the stage, which looks into each error at the end. */
  async function outcomesOf(stage: Stage, ref: EntityRef, attachmentId: string, asked: typeof reads): Promise<void> {
    let failed = 0;
    const seen = (error: unknown) => {
      stage.connectorError(error);
      failed++;
    };
    for (const connector of [stage.connector, stage.connect()]) {
      for (const read of Object.values(asked)) await read(connector, ref).catch(seen);
      await download(connector, ref, attachmentId).catch((error: unknown) => {
        // A stream that breaks off may do so in its own words.
        if (error instanceof Error && error.name === "ConnectorError") seen(error);
      });
      const writes = [
        stage.createOf("x"),
        commentOf(ref, "x"),
        fileOf(ref, "x.txt", Buffer.from("x")),
        { kind: "update", ref, fields: { [facts.fields.title]: "x" } } as const,
        { kind: "removeAttachment", ref, attachmentId } as const,
      ];
      for (const operation of writes) {
        await connector.write([operation]).then(([outcome]) => {
          if (outcome?.ok === false) seen(outcome.error);
        }, seen);
      }
    }
    expect(failed).toBeGreaterThan(5);
  }
}

async function listen(): Promise<{ readonly url: string; readonly asked: readonly string[]; close(): Promise<void> }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
