import { expect } from "vitest";
import { openFailures } from "../sync/facts.ts";
import type { SyncWorld } from "../sync/harness.ts";

/** An incident that people work on, and all that has to be on its case in the end. */
export interface Expected {
  readonly incident: string;
  /** Unique to it. */
  readonly subject: string;
  readonly comments: readonly string[];
  readonly files: readonly string[];
}

/** Each incident has one case, which says the same; each comment and file is on both, once; nobody has anything left to do. */
export async function expectEverythingOnce(world: SyncWorld, expected: readonly Expected[]): Promise<void> {
  expect(await openFailures(world)).toEqual([]);
  expect(await world.db.selectFrom("job").select("id").execute()).toEqual([]);
  const { desk, sales } = world;
  for (const { incident, subject, comments, files } of expected) {
    const record = await desk.incident(incident);
    const cases = await sales.query(`SELECT Id, Subject, Description FROM Case WHERE Subject LIKE '${subject}%'`);
    expect(cases.map((row) => row["Subject"])).toEqual([record["short_description"]]);
    const caseId = String(cases[0]?.["Id"]);
    expect(cases[0]?.["Description"] ?? "").toBe(record["description"]);
    const onCase = await sales.comments(caseId);
    const onIncident = await desk.comments(incident);
    for (const comment of comments) {
      expect(
        onCase.filter((text) => text.includes(comment)),
        `${comment} on the case`,
      ).toHaveLength(1);
      expect(
        onIncident.filter((text) => text.includes(comment)),
        `${comment} on the incident`,
      ).toHaveLength(1);
    }
    expect(onCase).toHaveLength(comments.length);
    expect(onIncident).toHaveLength(comments.length);
    if (files.length > 0) {
      expect((await sales.files(caseId)).map((file) => file["PathOnClient"]).toSorted()).toEqual(files.toSorted());
      expect((await desk.attachments(incident)).map((file) => file["file_name"]).toSorted()).toEqual(files.toSorted());
    }
  }
}
