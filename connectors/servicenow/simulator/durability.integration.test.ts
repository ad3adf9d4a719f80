import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PersonAtWork } from "./person.ts";
import { seededAccounts, startServiceNowSimulator } from "./simulator.ts";

const incident = "/api/now/table/incident";

describe("the database", () => {
  test("everything that was answered survives kill -9", async () => {
    const folder = mkdtempSync(join(tmpdir(), "servicenow-"));
    try {
      const child = fork(new URL("./simulator.process.ts", import.meta.url), [folder], {
        execPath: process.execPath,
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      });
      const url = await new Promise<string>((resolve, reject) => {
        child.once("message", (message) => resolve(String(message)));
        child.once("exit", (code) => reject(new Error(`ended with ${code}`)));
      });
      const person = new PersonAtWork(url, seededAccounts.maya);
      const id = await person.create("incident", { short_description: "kept" });
      await person.comment("incident", id, "kept too");
      const attachment = await person.attach("incident", id, "a.txt", Buffer.from("bytes"));
      const dead = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await dead;
      const again = await startServiceNowSimulator({ folder });
      try {
        const back = new PersonAtWork(again.url, seededAccounts.maya);
        expect((await back.call("GET", `${incident}/${id}`)).body.result).toMatchObject({
          short_description: "kept",
          number: "INC0010001",
          sys_mod_count: "1",
        });
        expect(again.rows("sys_journal_field").map(({ value }) => value)).toEqual(["kept too"]);
        expect((await back.call("GET", `/api/now/attachment/${attachment}`)).body.result.size_bytes).toBe("5");
        expect((await back.call("POST", incident, {})).body.result.number).toBe("INC0010002");
        expect(again.rows("core_company")).toHaveLength(2);
      } finally {
        await again.close();
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
