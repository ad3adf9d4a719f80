import { expect, test } from "vitest";
import { PersonAtWork } from "./person.ts";
import { seededAccounts, startServiceNowSimulator } from "./simulator.ts";

/** How many rows are looked at for what connectors ask all the time, in an instance with so many incidents. */
async function visits(incidents: number) {
  const simulator = await startServiceNowSimulator({ incidents });
  try {
    const maya = new PersonAtWork(simulator.url, seededAccounts.maya);
    const rows = simulator.rows("incident");
    expect(rows).toHaveLength(incidents);
    const [oldest = {}] = rows.toSorted((a, b) => ((a.sys_updated_on ?? "") < (b.sys_updated_on ?? "") ? -1 : 1));
    const [id = "", stamp = ""] = [oldest.sys_id, oldest.sys_updated_on];
    await maya.comment("incident", id, "hello");
    const looked: Record<string, number> = {};
    const ask = async (name: string, table: string, query: string, expected: number) => {
      const before = simulator.rowsVisited();
      const answer = await maya.call("GET", `/api/now/table/${table}?sysparm_limit=100&sysparm_fields=sys_id&sysparm_query=${encodeURIComponent(query)}`);
      expect([name, answer.body.result.length]).toEqual([name, expected]);
      looked[name] = simulator.rowsVisited() - before;
    };
    const now = simulator.rows("incident").find(({ sys_id }) => sys_id === id)?.sys_updated_on;
    await ask("what changed just now", "incident", `sys_updated_on>=${now}^active=true^ORDERBYsys_updated_on^ORDERBYsys_id`, 1);
    await ask("the first page of all", "incident", `sys_updated_on>=${stamp}^ORDERBYsys_updated_on^ORDERBYsys_id`, 100);
    await ask("the next ids", "incident", "sys_id>8^ORDERBYsys_id", 100);
    await ask("one id", "incident", `sys_id=${id}`, 1);
    await ask("two ids", "incident", `sys_idIN${id},${rows[7]?.sys_id}`, 2);
    await ask("a correlation id", "incident", "correlation_id=seed-7", 1);
    await ask("a number", "incident", "number=INC0010007", 1);
    await ask("through the parent table", "task", "correlation_id=seed-7", 1);
    await ask("the journal of a record", "sys_journal_field", `element_id=${id}^ORDERBYsys_created_on`, 1);
    return looked;
  } finally {
    await simulator.close();
  }
}

test("what connectors ask for all the time looks at as many rows among 100 000 incidents as among 1 000", async () => {
  const small = await visits(1000);
  expect(await visits(100_000)).toEqual(small);
  expect(Math.max(...Object.values(small))).toBeLessThanOrEqual(100);
});
