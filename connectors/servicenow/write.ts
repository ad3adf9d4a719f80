import type { WriteOperation, WriteOutcome } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import type { HttpAnswer } from "../http.ts";
import { batchBytes, batchItems, type RestCall, sendAlone, sendBatch } from "./batch.ts";
import type { ServiceNowClient } from "./client.ts";
import { concernsInstance, isRefused } from "./errors.ts";
import type { People } from "./people.ts";
import { addedCommentIds, droppedFields, type WrittenComment, type WrittenFields } from "./read-back.ts";
import type { Schemas } from "./schema.ts";
import { uploadAttachment } from "./upload.ts";
import { rawResult, stampOf, textOf } from "./values.ts";
import { type PlannedCall, plannedCall } from "./write-plan.ts";

/** Attachments that are sent at the same time. */
const uploadsAtOnce = 2;
const mostOwnEntries = 10_000;

/** Writes to one instance. */
export class Writer {
  readonly #client: ServiceNowClient;
  readonly #schemas: Schemas;
  readonly #people: People;
  /** Accounts without rights to the batch API write one by one. */
  #batchAllowed = true;
  /** Journal entries known as ours: the same words again within a second must not be taken for the entry before. */
  readonly #ownEntries = new Set<string>();

  constructor(client: ServiceNowClient, schemas: Schemas, people: People) {
    this.#client = client;
    this.#schemas = schemas;
    this.#people = people;
  }

  /**
   * Carries the operations out in rounds: each round takes the next operation of every record, so those of one record
   * keep their order, and those of a round can share a batch. Afterwards everything written is read back.
   */
  async write(operations: readonly WriteOperation[]): Promise<WriteOutcome[]> {
    const run: Run = { operations, outcomes: [], fields: [], comments: [], sent: false };
    for (const round of rounds(operations)) await this.#round(run, round);
    await this.#readBack(run);
    return operations.map(
      (_, index) => run.outcomes[index] ?? { ok: false, error: this.#client.error("PROTOCOL", { message: "The write was left out.", uncertain: false }) },
    );
  }

  async #round(run: Run, round: readonly number[]): Promise<void> {
    const calls: Pending[] = [];
    const uploads: number[] = [];
    for (const index of round) {
      const operation = run.operations[index];
      if (operation === undefined || this.#heldBack(run, index, operation)) continue;
      if (operation.kind === "addAttachment") {
        uploads.push(index);
        continue;
      }
      try {
        calls.push({ index, operation, ...(await plannedCall(this.#schemas, operation)) });
      } catch (error) {
        if (!(error instanceof ConnectorError) || concernsInstance(error)) this.#giveUp(run, error);
        run.outcomes[index] = { ok: false, error: asConnectorError(error) };
      }
    }
    for (const batch of batches(calls)) await this.#send(run, batch);
    for (let start = 0; start < uploads.length; start += uploadsAtOnce)
      await Promise.all(uploads.slice(start, start + uploadsAtOnce).map((index) => this.#upload(run, index)));
  }

  async #send(run: Run, batch: readonly Pending[]): Promise<void> {
    if (batch.length === 1 || !this.#batchAllowed) {
      for (const pending of batch) await this.#sendAlone(run, pending);
      return;
    }
    let outcomes: Awaited<ReturnType<typeof sendBatch>>;
    try {
      outcomes = await sendBatch(
        this.#client,
        batch.map(({ call }) => call),
        batch.every(({ repeatable }) => repeatable),
      );
      run.sent = true;
    } catch (error) {
      const failure = asConnectorError(error);
      if (failure.code === "PERMISSION" || failure.code === "BAD_REQUEST" || failure.code === "NOT_FOUND_OR_HIDDEN") {
        this.#batchAllowed = false;
        for (const pending of batch) await this.#sendAlone(run, pending);
        return;
      }
      this.#failAll(run, batch, failure);
      return;
    }
    for (const [position, pending] of batch.entries()) {
      const outcome = outcomes[position];
      if (outcome?.kind === "answered") this.#settle(run, pending, outcome.answer);
      // Unserviced means not begun: the batch ran out of time before [D].
      else if (outcome?.kind === "unserviced") await this.#sendAlone(run, pending);
      else
        run.outcomes[pending.index] = {
          ok: false,
          error: this.#client.error("PROTOCOL", { message: `ServiceNow's batch has no word of: ${pending.what}.`, uncertain: true }),
        };
    }
  }

  async #sendAlone(run: Run, pending: Pending): Promise<void> {
    try {
      const answer = await sendAlone(this.#client, pending.call, pending.repeatable);
      run.sent = true;
      this.#settle(run, pending, answer);
    } catch (error) {
      this.#failAll(run, [pending], asConnectorError(error));
    }
  }

  #settle(run: Run, pending: Pending, answer: HttpAnswer): void {
    const { index, operation, what, schema } = pending;
    if (answer.status === 401) {
      run.outcomes[index] = {
        ok: false,
        error: this.#client.error("AUTH_EXPIRED", { message: `ServiceNow refused to ${what}: not authenticated.`, status: 401 }),
      };
      return;
    }
    if (isRefused(answer)) {
      run.outcomes[index] = { ok: false, error: this.#client.refusal(answer, { what, write: true, schema: schema?.entity }) };
      return;
    }
    const row = rawResult(answer.body);
    const id = row === undefined ? "" : textOf(row, "sys_id");
    if (operation.kind === "create" && id === "") {
      run.outcomes[index] = {
        ok: false,
        error: this.#client.error("PROTOCOL", {
          message: `ServiceNow's answer to “${what}” does not name the record.`,
          status: answer.status,
          uncertain: true,
        }),
      };
      return;
    }
    if (operation.kind === "addComment") {
      const savedAt = row === undefined ? "" : textOf(row, "sys_updated_on");
      run.comments.push({
        index,
        recordId: operation.ref.id,
        element: operation.internal ? "work_notes" : "comments",
        body: operation.body,
        savedAt: savedAt || stampOf(this.#client.now()),
      });
      return;
    }
    run.outcomes[index] = { ok: true, id: idOf(operation, id) };
    if (schema !== undefined && (operation.kind === "create" || operation.kind === "update")) {
      run.fields.push({ index, schema, recordId: operation.kind === "create" ? id : operation.ref.id, values: pending.values });
    }
  }

  async #upload(run: Run, index: number): Promise<void> {
    const operation = run.operations[index];
    if (operation?.kind !== "addAttachment") return;
    try {
      const id = await uploadAttachment(this.#client, operation);
      run.sent = true;
      run.outcomes[index] = { ok: true, id };
    } catch (error) {
      this.#failAll(run, [{ index }], asConnectorError(error));
    }
  }

  /** Fills in the ids of comments, and which fields were not kept. */
  async #readBack(run: Run): Promise<void> {
    try {
      if (this.#ownEntries.size > mostOwnEntries) this.#ownEntries.clear();
      const userName = run.comments.length === 0 ? "" : ((await this.#people.self()).username ?? "");
      const ids = await addedCommentIds(this.#client, run.comments, userName, this.#ownEntries);
      for (const comment of run.comments) {
        const id = ids.get(comment.index);
        run.outcomes[comment.index] = id === undefined ? { ok: false, error: this.#unseenComment(comment) } : { ok: true, id };
      }
    } catch (error) {
      const { code, message } = asConnectorError(error);
      for (const { index } of run.comments)
        run.outcomes[index] = {
          ok: false,
          error: this.#client.error(code, { message: `The comment was sent, but its journal entry could not be read: ${message}`, uncertain: true }),
        };
    }
    try {
      for (const [index, dropped] of await droppedFields(this.#client, run.fields)) {
        const outcome = run.outcomes[index];
        if (outcome?.ok === true && dropped.length > 0) run.outcomes[index] = { ...outcome, dropped };
      }
    } catch (error) {
      // The writes themselves are done and answered; what was dropped shows at the next read.
      if (!(error instanceof ConnectorError)) throw error;
    }
  }

  #unseenComment(comment: WrittenComment): ConnectorError {
    return this.#client.error("PERMISSION", {
      message: `The comment on ${comment.recordId} was taken, but its journal entry cannot be found.`,
      advice: "Give the integration account read access to sys_journal_field.",
      uncertain: true,
    });
  }

  /** After an outcome that is unknown or passing, later operations of the record would come out of order. */
  #heldBack(run: Run, index: number, operation: WriteOperation): boolean {
    const key = recordOf(operation, index);
    for (let earlier = 0; earlier < index; earlier++) {
      const outcome = run.outcomes[earlier];
      const before = run.operations[earlier];
      if (outcome === undefined || outcome.ok || before === undefined || recordOf(before, earlier) !== key) continue;
      const { error } = outcome;
      if (!error.uncertain && !concernsInstance(error)) continue;
      run.outcomes[index] = {
        ok: false,
        error: this.#client.error(error.code, { message: `Not tried, because an earlier write to the same record is not settled: ${error.message}` }),
      };
      return true;
    }
    return false;
  }

  #failAll(run: Run, pending: readonly { readonly index: number }[], failure: ConnectorError): void {
    if (!failure.uncertain && concernsInstance(failure)) this.#giveUp(run, failure);
    for (const { index } of pending) run.outcomes[index] = { ok: false, error: failure };
  }

  /** Nothing was sent yet, and nothing can be: the call fails as a whole. */
  #giveUp(run: Run, error: unknown): void {
    if (!run.sent && !run.outcomes.some((outcome) => outcome?.ok === false && outcome.error.uncertain)) throw error;
  }
}

interface Run {
  readonly operations: readonly WriteOperation[];
  readonly outcomes: (WriteOutcome | undefined)[];
  readonly fields: WrittenFields[];
  readonly comments: WrittenComment[];
  /** Something reached the platform. */
  sent: boolean;
}

interface Pending extends PlannedCall {
  readonly index: number;
  readonly operation: Exclude<WriteOperation, { kind: "addAttachment" }>;
}

function rounds(operations: readonly WriteOperation[]): number[][] {
  const result: number[][] = [];
  const depth = new Map<string, number>();
  for (const [index, operation] of operations.entries()) {
    const key = recordOf(operation, index);
    const round = depth.get(key) ?? 0;
    depth.set(key, round + 1);
    const group = result[round] ?? [];
    group.push(index);
    result[round] = group;
  }
  return result;
}

function recordOf(operation: WriteOperation, index: number): string {
  return operation.kind === "create" ? `new ${index}` : operation.ref.id;
}

/** Calls in groups that fit one batch; what is too large for any goes alone. */
function batches(calls: readonly Pending[]): Pending[][] {
  const groups: Pending[][] = [];
  let room = 0;
  for (const pending of calls) {
    const size = sizeOf(pending.call);
    const group = groups.at(-1);
    if (group === undefined || group.length >= batchItems || size > room) {
      groups.push([pending]);
      room = batchBytes - size;
    } else {
      group.push(pending);
      room -= size;
    }
  }
  return groups;
}

function sizeOf(call: RestCall): number {
  return Math.ceil((Buffer.byteLength(JSON.stringify(call.body ?? "")) * 4) / 3) + call.path.length + 200;
}

function idOf(operation: Pending["operation"], created: string): string {
  switch (operation.kind) {
    case "create":
      return created;
    case "removeAttachment":
      return operation.attachmentId;
    case "editComment":
    case "removeComment":
      return operation.commentId;
    default:
      return operation.ref.id;
  }
}

function asConnectorError(error: unknown): ConnectorError {
  if (error instanceof ConnectorError) return error;
  throw error;
}
