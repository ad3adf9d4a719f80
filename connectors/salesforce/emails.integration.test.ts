import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Comment, Connector, EntityRef } from "../connector.ts";
import { type Caller, createCase, type SimulatedOrg, simulatedOrg } from "./simulator/simulated-org.ts";

let org: SimulatedOrg;
let connector: Connector;
let human: Caller;
let ref: EntityRef;

beforeEach(async () => {
  org = await simulatedOrg();
  connector = org.connector();
  human = await org.caller();
  ref = await createCase(connector);
});
afterEach(() => org.close());

const mail = (fields: object = {}) =>
  human("POST", "/sobjects/EmailMessage", {
    ParentId: ref.id,
    Subject: "Re: printer",
    TextBody: "It burns.",
    FromAddress: "carla@customer.example",
    FromName: "Carla Customer",
    ToAddress: "help@service.example",
    Incoming: true,
    MessageDate: "2026-05-01T07:25:37Z",
    ...fields,
  });
const commentsOf = async (by: Connector): Promise<{ readonly internal: readonly Comment[]; readonly open: readonly Comment[] }> => {
  const [outcome] = await by.read([ref]);
  return outcome?.ok ? { internal: outcome.entity.internalComments, open: outcome.entity.comments } : expect.fail();
};

describe("the e-mails of a case", () => {
  it("are read as internal comments, by whoever sent them and when", async () => {
    await mail();
    const { internal, open } = await commentsOf(connector);
    expect(open).toEqual([]);
    expect(internal).toEqual([
      {
        id: expect.stringMatching(/^02s/),
        body: "From: Carla Customer <carla@customer.example>\nTo: help@service.example\nSubject: Re: printer\n\nIt burns.",
        internal: true,
        author: { id: "carla@customer.example", displayName: "Carla Customer", email: "carla@customer.example" },
        created: "2026-05-01T07:25:37.000Z",
        updated: "2026-05-01T07:25:37.000Z",
      },
    ]);
  });

  it("are public, or not read at all, where the instance is configured so", async () => {
    await mail();
    expect((await commentsOf(org.connector({ emails: "public" }))).open).toHaveLength(1);
    expect(await commentsOf(org.connector({ emails: "ignored" }))).toEqual({ internal: [], open: [] });
  });

  it("are noticed by a poll, and change nothing when somebody has merely read them", async () => {
    const watch = { entityType: "Case", query: "" };
    org.simulator.server.clock.set({ frozenAt: Date.parse("2026-05-01T08:00:00Z") });
    let { cursor } = await connector.poll(watch, undefined, 10);
    org.simulator.server.clock.set({ frozenAt: Date.parse("2026-05-01T09:00:00Z") });
    const { id } = (await mail()).body;
    const page = await connector.poll(watch, cursor, 10);
    expect(page.changes.map((change) => change.ref)).toEqual([ref]);
    ({ cursor } = page);
    await human("PATCH", `/sobjects/EmailMessage/${id}`, { Status: "1" });
    expect((await connector.poll(watch, cursor, 10)).changes).toEqual([]);
  });

  it("give what can be read of their markup where they have no plain text", async () => {
    await mail({
      Subject: null,
      TextBody: null,
      HtmlBody:
        "<html><head><style>p { color: red }</style></head><body><p>It&#39;s&nbsp;<b>hot</b> &amp; loud</p><script>alert(1)</script>line<br/>break &unknown;</body></html>",
    });
    const [first] = (await commentsOf(connector)).internal;
    expect(first?.body.split("\n\n").slice(1).join("\n\n")).toBe("It's hot & loud\nline\nbreak &unknown;");
  });

  it("are never changed or removed", async () => {
    const { id } = (await mail()).body;
    const outcomes = await connector.write([
      { kind: "editComment", ref, commentId: id, body: "x" },
      { kind: "removeComment", ref, commentId: id },
    ]);
    expect(outcomes.map((outcome) => !outcome.ok && outcome.error)).toMatchObject([
      { code: "BAD_REQUEST", message: expect.stringContaining("e-mail") },
      { code: "BAD_REQUEST" },
    ]);
  });
});
