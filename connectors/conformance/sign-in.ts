import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect } from "vitest";
import { expectCode, type Suite } from "./stage.ts";

/** Credentials good and bad, and sessions that end at the worst moment. */
export function signInCases({ it, facts }: Suite): void {
  describe("with good credentials", () => {
    it("says who it is and finds nothing to complain of", async ({ connector }) => {
      const report = await connector.check();
      expect(report.account.trim()).not.toBe("");
      expect(report.problems).toEqual([]);
    });

    it("signs in once for all that is asked at the same time", async (stage) => {
      const ref = await stage.record("at once");
      await Promise.all(Array.from({ length: 12 }, () => stage.connector.read([ref])));
      expect(stage.signIns).toBe(1);
    });

    it("counts each call that it makes", async (stage) => {
      const ref = await stage.record("counted");
      await stage.connector.read([ref]);
      await stage.connector.write([{ kind: "update", ref, fields: { [facts.fields.title]: "counted twice" } }]);
      expect(stage.connector.calls()).toBe(stage.proxy.requests.length);
    });
  });

  describe("with wrong credentials", () => {
    for (const wrong of facts.wrongCredentials) {
      it(`(${wrong}) is told so as AUTH_CONFIG after very few tries, and writes nothing`, async (stage) => {
        const connector = stage.connect({ wrong });
        const error = await stage.failure(connector.check());
        expect([error.code, error.uncertain]).toEqual(["AUTH_CONFIG", false]);
        expect(stage.proxy.requests.length).toBeLessThanOrEqual(3);
        expect((await stage.refusal(stage.createOf("never"), connector)).code).toBe("AUTH_CONFIG");
        expect((await stage.failure(connector.poll({ entityType: stage.type, query: "" }, undefined, 10))).code).toBe("AUTH_CONFIG");
        expect(await stage.titled("never")).toEqual([]);
      });
    }
  });

  describe("at a wrong address", () => {
    it("where nobody listens, fails as TRANSIENT, and a write is certain not to have happened", async (stage) => {
      const closed = createServer();
      await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
      const url = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`;
      await new Promise((resolve) => closed.close(resolve));
      const connector = stage.connectTo(url);
      expectCode(await stage.failure(connector.check()), ["TRANSIENT"], "nobody listens");
      const error = await stage.refusal(stage.createOf("never"), connector);
      expect([error.code, error.uncertain]).toEqual(["TRANSIENT", false]);
    });

    it("where a web site answers, fails as PROTOCOL or AUTH_CONFIG with advice, and not as an outage", async (stage) => {
      stage.spoil(
        { kind: "instead", answer: { status: 200, headers: { "content-type": "text/html" }, body: "<!DOCTYPE html><title>Welcome</title>" } },
        () => true,
      );
      const error = await stage.failure(stage.connector.check());
      expectCode(error, ["PROTOCOL", "AUTH_CONFIG"], "a web site");
      expect(error.advice ?? "").not.toBe("");
    });
  });

  describe("when its session ends midway", () => {
    it("renews it once for many calls at once, and none of them fails", async (stage) => {
      const refs = await Promise.all(Array.from({ length: 5 }, (_, n) => stage.record(`record ${n}`)));
      await stage.connector.read(refs);
      await stage.administrator.endSessions();
      const before = stage.signIns;
      const reads = await Promise.all(Array.from({ length: 15 }, () => stage.connector.read(refs)));
      expect(reads.flat().every(({ ok }) => ok)).toBe(true);
      expect(stage.signIns - before).toBe(1);
    });

    it("renews it once for reads, writes and polls that run together, and does each write once", async (stage) => {
      const refs = await Promise.all(Array.from({ length: 4 }, (_, n) => stage.record(`record ${n}`)));
      await stage.connector.read(refs);
      await stage.administrator.endSessions();
      const before = stage.signIns;
      const comments = refs.map((ref, n) => ({ kind: "addComment", ref, body: `once ${n}`, internal: false, marker: `m${n}` }) as const);
      const [written, created] = await Promise.all([
        stage.connector.write(comments),
        stage.connector.write([stage.createOf("made in between")]),
        stage.connector.read(refs),
        stage.connector.poll({ entityType: stage.type, query: "" }, undefined, 10),
      ]);
      for (const outcome of [...written, ...created]) stage.idOf(outcome);
      expect(stage.signIns - before).toBe(1);
      for (const ref of refs) expect((await stage.entity(ref)).comments).toHaveLength(1);
      expect(await stage.titled("made in between")).toHaveLength(1);
    });

    it("renews it as often as it ends", async (stage) => {
      const ref = await stage.record("long day");
      for (let day = 0; day < 4; day++) {
        await stage.administrator.endSessions();
        await stage.entity(ref);
      }
      expect(stage.signIns).toBe(4);
    });

    it("and no new one is believed either, gives up as AUTH_EXPIRED without burning sign-ins, and writes nothing", async (stage) => {
      const ref = await stage.record("shut out");
      await stage.connector.read([ref]);
      const before = stage.signIns;
      stage.spoil({ kind: "instead", answer: facts.unauthorized }, (request) => !facts.isSignIn(request));
      expect((await stage.failure(stage.connector.read([ref]))).code).toBe("AUTH_EXPIRED");
      const error = await stage.refusal(stage.createOf("never"));
      expect([error.code, error.uncertain]).toEqual(["AUTH_EXPIRED", false]);
      for (let i = 0; i < 15; i++) expect((await stage.failure(stage.connector.read([ref]))).code).toBe("AUTH_EXPIRED");
      expect(stage.signIns - before).toBeLessThanOrEqual(3);
      expect(await stage.titled("never")).toEqual([]);
    });

    it("while the sign-in is down, fails as TRANSIENT and works again when that is back", async (stage) => {
      const ref = await stage.record("two outages");
      await stage.connector.read([ref]);
      await stage.administrator.endSessions();
      stage.spoil({ kind: "instead", answer: { status: 503, body: "" } }, facts.isSignIn);
      expectCode(await stage.failure(stage.connector.read([ref])), ["TRANSIENT"], "sign-in down");
      stage.meddle();
      await stage.entity(ref);
    });
  });
}
