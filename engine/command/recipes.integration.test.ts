import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "isobridge-recipes-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function recipes(...words: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const main = fileURLToPath(new URL("../main.ts", import.meta.url));
  return await promisify(execFile)(process.execPath, ["--disable-warning=ExperimentalWarning", main, "recipes", ...words], { cwd: folder }).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, out: error.stdout, err: error.stderr }),
  );
}

test("isobridge recipes lists the cookbook and tells of one recipe", async () => {
  const { code, out } = await recipes();
  expect(code).toBe(0);
  expect(out).toContain("status-by-table");
  const one = await recipes("status-by-table");
  expect(one.out).toContain("Statuses by a table");
  expect(one.out).toContain("Receives: servicenow, incident");
  expect(await recipes("none")).toMatchObject({ code: 2, err: expect.stringContaining("no recipe none") });
});

test("it copies each rule with its samples to the side that it is for, tells of the tables, and replaces nothing by itself", async () => {
  const take = ["status-by-table", "--from", "support/SF", "--to", "support/SN"];
  const { code, out } = await recipes(...take);
  expect(code).toBe(0);
  expect(out).toContain("It needs these tables");
  const rule = join(folder, "rules/support/SN/incoming.ts");
  expect(readFileSync(rule, "utf8")).toContain("mapping(");
  expect(existsSync(join(folder, "rules/support/SF/outgoing.ts"))).toBe(true);
  expect(existsSync(join(folder, "rules/support/SN/samples/incoming-with-row.json"))).toBe(true);
  writeFileSync(rule, "// mine");
  expect(await recipes(...take)).toMatchObject({ code: 1, err: expect.stringContaining("Nothing was written") });
  expect(readFileSync(rule, "utf8")).toBe("// mine");
  expect((await recipes(...take, "--force")).code).toBe(0);
  expect(readFileSync(rule, "utf8")).not.toBe("// mine");
});

test("it writes nothing outside of the folder of rules", async () => {
  for (const side of ["../x", "support/..", "support", "a/b/c", "/etc/x"])
    expect(await recipes("status-by-table", "--from", side, "--to", "support/SN", "--force")).toMatchObject({
      code: 2,
      err: expect.stringContaining("is not a side"),
    });
});
