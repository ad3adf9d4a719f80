import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readRecipes } from "../../engine/configuration/recipes.ts";
import { caseOf, incidentOf } from "../sync/facts.ts";
import { openSyncWorld, type SyncWorld } from "../sync/harness.ts";
import { grownInstance, grownOrg } from "./instances.ts";

const recipes = readRecipes();
let world: SyncWorld;

beforeAll(async () => {
  world = await openSyncWorld({
    incidentQuery: "active=true",
    caseQuery: "Origin = 'Phone'",
    salesforce: grownOrg(),
    servicenow: grownInstance(),
  });
});
afterAll(async () => {
  await world.close();
});

/** Publishes both rules of a recipe on the running node; the other way keeps the rules that it has. */
async function cook(name: string): Promise<void> {
  const recipe = recipes.find((each) => each.name === name);
  if (recipe === undefined) throw new Error(`there is no recipe ${name}`);
  const sideOf = { salesforce: "SF", servicenow: "SN" } as const;
  await world.publish(sideOf[recipe.outgoing.platform], "outgoing", recipe.rules.outgoing);
  await world.publish(sideOf[recipe.incoming.platform], "incoming", recipe.rules.incoming);
}

describe("from ServiceNow to Salesforce, on a running node", () => {
  test("caller-becomes-contact ties the case to the contact with the caller's address", async () => {
    await cook("caller-becomes-contact");
    const caller = world.servicenow.plant("sys_user", { user_name: "anna.berg", name: "Anna Berg", email: "anna@northwind.example" });
    const contact = world.salesforce.org.create("Contact", { LastName: "Berg", FirstName: "Anna", Email: "anna@northwind.example" }, "005000000000000AAA");
    const incident = await world.desk.open({ short_description: "Known caller", caller_id: caller });
    const id = await caseOf(world, incident);
    await world.settled();
    expect((await world.sales.query(`SELECT ContactId FROM Case WHERE Id = '${id}'`))[0]).toMatchObject({ ContactId: contact.Id });
  });

  test("remote-number-and-link writes number and address once, and tells the customer once", async () => {
    await cook("remote-number-and-link");
    const incident = await world.desk.open({ short_description: "Numbered" });
    const id = await caseOf(world, incident);
    await world.desk.change(incident, { short_description: "Numbered again" });
    await world.settled();
    const [row] = await world.sales.query(`SELECT Subject, ServiceNow_Number__c, ServiceNow_Url__c FROM Case WHERE Id = '${id}'`);
    expect(row).toMatchObject({
      Subject: "Numbered again",
      ServiceNow_Number__c: expect.stringMatching(/^INC\d+$/),
      ServiceNow_Url__c: expect.stringContaining(incident),
    });
    expect(await world.sales.comments(id)).toHaveLength(1);
  });

  test("marked-work-notes sends the marked note alone, as an internal comment", async () => {
    await cook("marked-work-notes");
    const incident = await world.desk.open({ short_description: "Noted", work_notes: "[share] Vendor was called" });
    const id = await caseOf(world, incident);
    await world.desk.change(incident, { work_notes: "Vendor is slow" });
    await world.settled();
    const comments = await world.sales.query(`SELECT CommentBody, IsPublished FROM CaseComment WHERE ParentId = '${id}'`);
    expect(comments.map(({ CommentBody, IsPublished }) => [CommentBody, IsPublished])).toEqual([[expect.stringMatching(/Vendor was called$/), false]]);
  });

  test("parent-and-child hangs a child that came first below its parent, once that is there", async () => {
    await cook("parent-and-child");
    // The trigger asks for active ones: a parent that is not active begins to sync when it is.
    const parent = await world.desk.open({ short_description: "Parent", active: "false" });
    const child = await world.desk.open({ short_description: "Child", parent_incident: parent });
    await world.desk.change(parent, { active: "true" });
    const parentCase = await caseOf(world, parent);
    const childCase = await caseOf(world, child);
    await world.settled();
    expect((await world.sales.query(`SELECT ParentId FROM Case WHERE Id = '${childCase}'`))[0]).toMatchObject({ ParentId: parentCase });
  });
});

describe("from Salesforce to ServiceNow, on a running node", () => {
  test("comments-as-work-notes shows the caller only what is marked", async () => {
    await cook("comments-as-work-notes");
    const id = await world.sales.open({ Subject: "Spoken of", Origin: "Phone" });
    await world.sales.comment(id, "Customer is upset");
    await world.sales.comment(id, "! Please restart");
    const { sys_id: incident } = await incidentOf(world, id);
    await world.settled();
    const journal = await world.desk.journal(String(incident));
    expect(journal.map(({ element, value }) => `${element}: ${value}`).toSorted()).toEqual([
      "comments: Please restart",
      expect.stringMatching(/^work_notes: \[.+\] Customer is upset$/),
    ]);
  });

  test("custom-fields carries number, check box and instant, and empties what was emptied", async () => {
    await cook("custom-fields");
    const id = await world.sales.open({
      Subject: "Counted",
      Origin: "Phone",
      Cost_Center__c: "4711",
      Affected_Users__c: "12",
      Affected_Since__c: "2026-02-03T09:30:00+02:00",
    });
    const { sys_id } = await incidentOf(world, id);
    expect(await world.desk.incident(String(sys_id))).toMatchObject({
      u_cost_center: "4711",
      u_affected_users: "12",
      u_affected_since: "2026-02-03 07:30:00",
      u_workaround_known: "false",
    });
    await world.sales.change(id, { Cost_Center__c: "" });
    await world.settled();
    expect(await world.desk.incident(String(sys_id))).toMatchObject({ u_cost_center: "", u_affected_users: "12" });
  });

  test("many-cases-one-incident ties a second case to the incident of the first, whose text stays", async () => {
    await cook("many-cases-one-incident");
    const first = await world.sales.open({ Subject: "Gateway is slow", Origin: "Phone" });
    const { sys_id, number } = await incidentOf(world, first);
    const second = await world.sales.open({ Subject: "Me too", Origin: "Phone", ServiceNow_Number__c: String(number) });
    expect((await incidentOf(world, second))["sys_id"]).toBe(sys_id);
    await world.settled();
    expect(await world.desk.incident(String(sys_id))).toMatchObject({ short_description: "Gateway is slow" });
  });
});
