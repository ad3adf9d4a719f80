import { afterAll, beforeAll, expect, test } from "vitest";
import { caseOf, comesToRest, openFailures } from "./facts.ts";
import { openSyncWorld, type SyncWorld } from "./harness.ts";

let world: SyncWorld;
const html = "<p>Pull the <strong>plug</strong> &amp; wait.</p><ul><li>first</li><li>then</li></ul>";

beforeAll(async () => {
  world = await openSyncWorld({
    servicenow: {
      tables: [{ name: "incident", label: "Incident", extends: "task", columns: [{ element: "u_steps", label: "Steps", type: "html", maxLength: 8000 }] }],
    },
  });
  await world.publish(
    "SN",
    "outgoing",
    'if (entity.entityType === "incident") {\n  replica.summary = entity.short_description;\n  replica.description = entity.u_steps;\n  replica.custom = { plain: entity.description };\n}\n',
  );
  await world.publish(
    "SF",
    "incoming",
    'if (firstSync) entity.entityType = "Case";\nif (entity.entityType === "Case") {\n  entity.Subject = replica.custom.plain;\n  entity.Description = replica.description;\n}\n',
  );
  await world.publish("SF", "outgoing", 'if (entity.entityType === "Case") replica.description = entity.Description;\n');
  await world.publish("SN", "incoming", 'if (entity.entityType === "incident") entity.u_steps = replica.description;\n');
});
afterAll(async () => {
  await world.close();
});

test("a rich text assigned to a plain field arrives plain, and a plain text about tags arrives as it is", async () => {
  const incident = await world.desk.open({ short_description: "Rich", urgency: "1", u_steps: html, description: "use <b> here, not <p>" });
  const caseId = await caseOf(world, incident);
  await comesToRest(world, incident, caseId);
  expect(await world.sales.case(caseId)).toMatchObject({ Description: "Pull the plug & wait.\n\n- first\n- then", Subject: "use <b> here, not <p>" });
  // The way back has written nothing: the plain text says what the rich one says.
  expect(await world.desk.incident(incident)).toMatchObject({ u_steps: html });
});

test("a plain text assigned to a rich field arrives as HTML, and only when it says something else", async () => {
  const incident = await world.desk.open({ short_description: "Plain", urgency: "1", u_steps: html });
  const caseId = await caseOf(world, incident);
  await world.settled();
  await world.sales.change(caseId, { Description: "1 < 2\nand so on" });
  await world.until("the steps arrive", async () => String((await world.desk.incident(incident))["u_steps"]).includes("and so on"));
  expect((await world.desk.incident(incident))["u_steps"]).toBe("<p>1 &lt; 2<br>and so on</p>");
  await comesToRest(world, incident, caseId);
  expect(await world.sales.case(caseId)).toMatchObject({ Description: "1 < 2\nand so on" });
  expect(await openFailures(world)).toEqual([]);
});
