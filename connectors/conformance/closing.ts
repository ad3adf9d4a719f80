import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect } from "vitest";
import type { Suite } from "./stage.ts";

/** Much longer than a process needs that has nothing to wait for. */
const patienceMs = 45_000;
const program = fileURLToPath(new URL("./closing.process.ts", import.meta.url));

/** What stays behind once a connector is closed. */
export function closingCases({ it, facts }: Suite, platformName: string): void {
  describe("once it is closed", () => {
    it(`keeps no process alive: one that read, polled, wrote${facts.events === true ? ", listened" : ""} and streamed ends by itself`, async (stage) => {
      const ref = await stage.record("closing");
      await stage.people.attach(ref, "closing.txt", Buffer.alloc(100_000));
      const given = JSON.stringify({ platform: platformName, ...stage.bed.account(stage.proxy.url), ref, title: facts.fields.title });
      const { stdout } = await promisify(execFile)(process.execPath, [program], { env: { ...process.env, CONFORMANCE_CLOSING: given }, timeout: patienceMs });
      expect(JSON.parse(stdout)).toEqual({ closed: true });
      expect(stage.proxy.requests.length).toBeGreaterThan(3);
    });

    it("can be closed again, also one that never did anything", async (stage) => {
      const connector = stage.connect();
      await connector.close();
      await connector.close();
      await stage.connector.check();
      await stage.connector.close();
      await stage.connector.close();
    });
  });
}
