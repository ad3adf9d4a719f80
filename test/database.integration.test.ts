import pg from "pg";
import { expect, test } from "vitest";
import { withDatabase } from "./database.ts";

test("each test gets a migrated database of its own", async () => {
  await withDatabase(async (first) => {
    await withDatabase(async (second) => {
      expect(first).not.toBe(second);
      expect(await query(first, "select count(*)::int as n from setting")).toEqual([{ n: 0 }]);
      await query(first, "insert into setting (key, value) values ('a', '1')");
      expect(await query(second, "select count(*)::int as n from setting")).toEqual([{ n: 0 }]);
    });
  });
});

test("a test's database is gone when the test has finished, even with a connection left open", async () => {
  let left: pg.Client | undefined;
  const url = await withDatabase(async (url) => {
    left = new pg.Client({ connectionString: url });
    left.on("error", () => undefined);
    await left.connect();
    return url;
  });
  await expect(query(url, "select 1")).rejects.toThrow("does not exist");
  await left?.end();
});

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
