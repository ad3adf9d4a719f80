import { describe, expect } from "vitest";
import type { EntityRef, LostWrite, WriteOperation, WriteOutcome } from "../connector.ts";
import type { Trouble } from "./proxy.ts";
import { commentOf, download, expectCode, fileOf, type Stage, type Suite } from "./stage.ts";

type Addition = Extract<WriteOperation, { kind: "create" | "addComment" | "addAttachment" }>;

const page = { status: 200, headers: { "content-type": "text/html" }, body: "<html><body>Log in</body></html>" };

/** Writes of which nobody heard whether they were done: what is added must be there once in the end, and only once. */
export function lostAnswerCases({ it, facts, capabilities }: Suite): void {
  const { title } = facts.fields;
  const troubles: readonly (readonly [string, Trouble, boolean])[] = [
    ["was lost after it was done", { kind: "lost" }, true],
    ["was cut off after it was done", { kind: "truncated" }, true],
    ["was a web page after it was done", { kind: "garbled", answer: page }, true],
    ["was an outage after it was done", { kind: "garbled", answer: { status: 502, body: "" } }, true],
    ["was empty after it was done", { kind: "garbled", answer: { status: 200, body: "" } }, true],
    ["was an object of another shape after it was done", { kind: "garbled", answer: { status: 200, body: '{"hello":"world"}' } }, true],
    ["never came, as it never arrived", { kind: "reset" }, false],
    ["was an outage, and nothing was done", { kind: "instead", answer: facts.unavailable }, false],
    ["was a web page, and nothing was done", { kind: "instead", answer: page }, false],
  ];
  const additions: readonly (readonly [string, (stage: Stage, ref: EntityRef) => Addition, (stage: Stage, ref: EntityRef) => Promise<readonly string[]>])[] = [
    ["a new record", (stage) => stage.createOf("lost"), (stage) => stage.titled("lost")],
    ["a comment", (_, ref) => commentOf(ref, "lost"), async (stage, ref) => (await stage.entity(ref, stage.bystander)).comments.map(({ id }) => id)],
    ...(capabilities.internalComments
      ? [
          [
            "an internal comment",
            (_: Stage, ref: EntityRef) => commentOf(ref, "lost", true),
            async (stage: Stage, ref: EntityRef) => (await stage.entity(ref, stage.bystander)).internalComments.map(({ id }) => id),
          ] as const,
        ]
      : []),
    [
      "an attachment",
      (_, ref) => fileOf(ref, "lost.txt", Buffer.from("lost")),
      async (stage, ref) => (await stage.entity(ref, stage.bystander)).attachments.map(({ id }) => id),
    ],
  ];
  const warm = async (stage: Stage) => {
    const ref = await stage.record("parent");
    await stage.connector.check();
    await stage.connector.read([ref]);
    return ref;
  };
  const write = async (stage: Stage, operations: readonly WriteOperation[]): Promise<readonly WriteOutcome[]> =>
    await stage.connector.write(operations).catch((error: unknown) => operations.map(() => ({ ok: false, error: stage.connectorError(error) })));
  const located = async (stage: Stage, lost: LostWrite) => (await stage.connector.locate([lost]))[0];

  for (const [what, operationOf, thereNow] of additions) {
    describe(`${what} whose answer`, () => {
      for (const [how, trouble, happened] of troubles) {
        it(`${how} is ${happened ? "found by locate" : "surely not there by locate"}, and there once in the end`, async (stage) => {
          const ref = await warm(stage);
          const operation = operationOf(stage, ref);
          const since = new Date().toISOString();
          stage.spoil(trouble, facts.isWrite);
          const [outcome] = await write(stage, [operation]);
          stage.meddle();
          const there = await thereNow(stage, ref);
          expect(there.length, "what the platform holds").toBe(happened ? 1 : 0);
          if (outcome?.ok === true) {
            // The connector found out by itself.
            expect(there).toEqual([outcome.id]);
            return;
          }
          const error = stage.errorOf(outcome);
          if (happened) expect(error.uncertain, `${error.code}: ${error.message}`).toBe(true);
          const id = await located(stage, { operation, since, known: [] });
          expect(id).toBe(there[0]);
          if (id === undefined) await stage.done(operation);
          const inTheEnd = await thereNow(stage, ref);
          expect(inTheEnd).toHaveLength(1);
          expect(await located(stage, { operation, since, known: [] }), "found again after a restart").toBe(inTheEnd[0]);
          expect(await stage.connect().locate([{ operation, since, known: [] }])).toEqual(inTheEnd);
        });
      }

      it("was lost is not taken for an older one of ours, nor for one of somebody else", async (stage) => {
        const ref = await warm(stage);
        const operation = operationOf(stage, ref);
        if (operation.kind === "create") await stage.record("lost");
        if (operation.kind === "addComment") await stage.people.comment(ref, operation.body, operation.internal);
        if (operation.kind === "addAttachment") await stage.people.attach(ref, operation.filename, Buffer.from("lost"));
        const older = await stage.done({ ...operationOf(stage, ref) });
        const since = new Date().toISOString();
        stage.spoil({ kind: "reset" }, facts.isWrite);
        await write(stage, [operation]);
        stage.meddle();
        expect(await stage.connector.locate([{ operation, since, known: [older] }])).toEqual([undefined]);
        stage.spoil({ kind: "lost" }, facts.isWrite);
        await write(stage, [operation]);
        stage.meddle();
        const id = await located(stage, { operation, since, known: [older] });
        expect([typeof id, id === older]).toEqual(["string", false]);
      });

      it("was lost is not taken for an equal one of ours that is older than the intention", async (stage) => {
        await stage.administrator.stopClock(Date.now() - 600_000);
        const ref = await warm(stage);
        await stage.done(operationOf(stage, ref));
        await stage.administrator.stopClock(null);
        const operation = operationOf(stage, ref);
        const since = new Date().toISOString();
        stage.spoil({ kind: "reset" }, facts.isWrite);
        await write(stage, [operation]);
        stage.meddle();
        expect(await stage.connector.locate([{ operation, since, known: [] }])).toEqual([undefined]);
      });

      it("was lost is never called absent while the platform cannot be asked", async (stage) => {
        const ref = await warm(stage);
        const operation = operationOf(stage, ref);
        const since = new Date().toISOString();
        stage.spoil({ kind: "lost" }, facts.isWrite);
        await write(stage, [operation]);
        const ways: readonly Trouble[] = [
          { kind: "reset" },
          { kind: "truncated" },
          { kind: "instead", answer: page },
          { kind: "instead", answer: facts.unavailable },
          { kind: "instead", answer: { status: 200, body: "{}" } },
          ...facts.throttled.map(({ answer }): Trouble => ({ kind: "instead", answer })),
        ];
        for (const trouble of ways) {
          stage.spoil(trouble, () => true);
          await stage.failure(stage.connect().locate([{ operation, since, known: [] }]));
        }
      });
    });
  }

  describe("a batch of which the answer was lost", () => {
    it("has each of its items found, also equal ones, and none twice", async (stage) => {
      const [a, b] = [await warm(stage), await stage.record("other parent")];
      const operations: readonly Addition[] = [
        stage.createOf("twin"),
        stage.createOf("twin"),
        commentOf(a, "same"),
        commentOf(b, "same"),
        commentOf(b, "same"),
        fileOf(a, "same.txt", Buffer.from("same")),
        fileOf(a, "same.txt", Buffer.from("same")),
      ];
      const since = new Date().toISOString();
      stage.spoil({ kind: "lost" }, facts.isWrite);
      const outcomes = await write(stage, operations);
      stage.meddle();
      const lost = operations.map((operation): LostWrite => ({ operation, since, known: [] }));
      const found = await stage.connector.locate(lost);
      const ids = found.filter((id) => id !== undefined);
      expect(new Set(ids).size, "no answer serves two").toBe(ids.length);
      for (const [n, operation] of operations.entries()) if (found[n] === undefined) outcomes[n]?.ok === true || (await stage.done(operation));
      const [readA, readB] = [await stage.entity(a, stage.bystander), await stage.entity(b, stage.bystander)];
      expect([(await stage.titled("twin")).length, readA.comments.length, readB.comments.length, readA.attachments.length]).toEqual([2, 1, 2, 2]);
      expect((await stage.connector.locate(lost)).every((id) => id !== undefined)).toBe(true);
    });

    it("is located with those that never arrived, each for itself", async (stage) => {
      const ref = await warm(stage);
      const since = new Date().toISOString();
      const [there, never] = [commentOf(ref, "there"), commentOf(ref, "never")];
      const id = await stage.done(there);
      const record = stage.createOf("there too");
      const recordId = await stage.done(record);
      const found = await stage.connector.locate([
        { operation: never, since, known: [] },
        { operation: there, since, known: [] },
        { operation: stage.createOf("never"), since, known: [] },
        { operation: record, since, known: [] },
        { operation: fileOf(ref, "never.txt", Buffer.from("n")), since, known: [] },
      ]);
      expect(found).toEqual([undefined, id, undefined, recordId, undefined]);
      expect(await stage.connector.locate([])).toEqual([]);
    });
  });

  describe("a change that can be repeated, whose answer", () => {
    const kinds: readonly (readonly [string, (stage: Stage, ref: EntityRef) => Promise<WriteOperation>, (stage: Stage, ref: EntityRef) => Promise<void>])[] = [
      [
        "an update",
        async (_, ref) => ({ kind: "update", ref, fields: { [title]: "updated" } }),
        async (stage, ref) => expect((await stage.entity(ref, stage.bystander)).fields[title]).toBe("updated"),
      ],
      ["a delete", async (_, ref) => ({ kind: "delete", ref }), async (stage, ref) => expect(await stage.bystander.read([ref])).toMatchObject([{ ok: false }])],
      ...(capabilities.editComment
        ? [
            [
              "an edit of a comment",
              async (stage: Stage, ref: EntityRef) => ({ kind: "editComment", ref, commentId: await stage.done(commentOf(ref, "old")), body: "new" }) as const,
              async (stage: Stage, ref: EntityRef) => expect((await stage.entity(ref, stage.bystander)).comments).toMatchObject([{ body: "new" }]),
            ] as const,
          ]
        : []),
      ...(capabilities.removeComment
        ? [
            [
              "a removal of a comment",
              async (stage: Stage, ref: EntityRef) => ({ kind: "removeComment", ref, commentId: await stage.done(commentOf(ref, "old")) }) as const,
              async (stage: Stage, ref: EntityRef) => expect((await stage.entity(ref, stage.bystander)).comments).toEqual([]),
            ] as const,
          ]
        : []),
      ...(capabilities.removeAttachment
        ? [
            [
              "a removal of an attachment",
              async (stage: Stage, ref: EntityRef) =>
                ({ kind: "removeAttachment", ref, attachmentId: await stage.done(fileOf(ref, "old.txt", Buffer.from("old"))) }) as const,
              async (stage: Stage, ref: EntityRef) => expect((await stage.entity(ref, stage.bystander)).attachments).toEqual([]),
            ] as const,
          ]
        : []),
    ];
    for (const [what, operationOf, expectDone] of kinds) {
      for (const [how, trouble, happened] of troubles.filter(([, { kind }]) => kind !== "garbled")) {
        it(`${how} (${what}) is never called failed when it was done, and done once more it is done`, async (stage) => {
          const ref = await warm(stage);
          const operation = await operationOf(stage, ref);
          stage.spoil(trouble, facts.isWrite);
          const [outcome] = await write(stage, [operation]);
          stage.meddle();
          if (outcome?.ok === true || happened) await expectDone(stage, ref);
          if (outcome?.ok === false && happened) expect(outcome.error.uncertain, outcome.error.message).toBe(true);
          const [again] = await write(stage, [operation]);
          // What is gone may be called gone; it cannot always be told from what is hidden.
          const takesAway = operation.kind !== "update" && operation.kind !== "editComment";
          if (again?.ok === false && takesAway && happened) expectCode(stage.errorOf(again), ["DELETED", "NOT_FOUND_OR_HIDDEN"], "once more");
          else stage.idOf(again);
          await expectDone(stage, ref);
        });
      }
    }
  });

  it("after an item whose outcome is unknown, later items of the same record are not sent before it", async (stage) => {
    const ref = await warm(stage);
    stage.spoil({ kind: "reset" }, facts.isWrite);
    const operations = [commentOf(ref, "first"), { kind: "update", ref, fields: { [title]: "second" } }, commentOf(ref, "third")] as const;
    const outcomes = await write(stage, operations);
    stage.meddle();
    expect(outcomes.map(({ ok }) => ok)).toEqual([false, false, false]);
    const entity = await stage.entity(ref, stage.bystander);
    expect([entity.fields[title], entity.comments, entity.attachments]).toEqual(["parent", [], []]);
  });

  it("an attachment of several megabytes whose answer was lost is found, with all its bytes", async (stage) => {
    const ref = await warm(stage);
    const content = Buffer.alloc(6_500_000, "lost ");
    const operation = fileOf(ref, "large.bin", content);
    const since = new Date().toISOString();
    stage.spoil({ kind: "lost" }, facts.isWrite);
    const [outcome] = await write(stage, [operation]);
    stage.meddle();
    const id = outcome?.ok === true ? outcome.id : await located(stage, { operation, since, known: [] });
    expect((await download(stage.bystander, ref, id ?? "")).equals(content)).toBe(true);
    expect((await stage.entity(ref)).attachments).toHaveLength(1);
  });
}
