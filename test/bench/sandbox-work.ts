/** The work that the sandbox's benchmarks give to all who compete: rules as text, what they are given, and the same as a plain function. */
import { blankEntityView, type OutgoingRunInput } from "../../engine/rules/run-input.ts";

const fields = Array.from({ length: 16 }, (_, index) => index);

/** A replica of 2 KB in 20 fields: what most syncs carry. */
export const flatRule = `
replica.key = entity.key;
replica.summary = entity.Subject;
replica.description = entity.Description;
${fields.map((index) => `replica.custom${index} = entity.Field${index};`).join("\n")}`;

/** As much text, but in 75 keys, five comments among them. */
export const nestedRule = `${flatRule}\nreplica.comments = entity.comments;`;

export const smallestRule = "replica.key = entity.key;";

export const askingRule = `
replica.one = (await users.byEmail("a@example.com"))?.id;
replica.two = (await users.byEmail("b@example.com"))?.id;
replica.three = (await users.byEmail("c@example.com"))?.id;`;

export function runOf(kind: "flat" | "nested" | "small"): OutgoingRunInput {
  const author = { id: "005", displayName: "Alice Smith" };
  const time = "2026-01-02T03:04:05Z";
  const comment = (index: number) => ({
    id: `c${index}`,
    body: "Please look at this again when you find the time.",
    internal: false,
    author,
    created: time,
    updated: time,
  });
  const values = Object.fromEntries(
    fields.map((index) => [`Field${index}`, `value ${index} ${"of a field of usual length, ".repeat(kind === "flat" ? 3 : 1)}`]),
  );
  const small = { ...blankEntityView, entityType: "Case", entityRef: { type: "Case", id: "500" }, key: "00001000" };
  const full = { ...small, Subject: "Printer on fire on the second floor", Description: "The printer is on fire. ".repeat(12), ...values };
  return {
    direction: "outgoing",
    previous: null,
    firstSync: true,
    connection: { name: "bench", local: "left", remote: "right" },
    mappings: {},
    now: 1_700_000_000_000,
    seed: "0b9ef5a0-0000-4000-8000-123456789abc",
    entity: kind === "small" ? small : kind === "flat" ? full : { ...full, comments: [0, 1, 2, 3, 4].map(comment) },
  };
}

/** What such a rule does, as the body of a function of text that answers text. */
export function bodyOf(rule: string): string {
  return `
const { entity } = JSON.parse(text);
const replica = {};
${rule}
return JSON.stringify({ kind: "replica", replica, effects: { startSync: [], syncBack: false, unlink: false } });`;
}
