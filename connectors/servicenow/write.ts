import type { WriteOperation, WriteOutcome } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import type { HttpAnswer } from "../http.ts";
import { batchItems, sendAlone, sendBatch } from "./batch.ts";
import { variablesField } from "./catalog-variables.ts";
import type { ServiceNowClient } from "./client.ts";
import { concernsInstance, isRefused } from "./errors.ts";
import { removedRecords } from "./missing.ts";
import type { People } from "./people.ts";
import { addedCommentIds, droppedFields, type WrittenComment, type WrittenFields } from "./read-back.ts";
import type { Schemas } from "./schema.ts";
import { uploadAttachment } from "./upload.ts";
import { rawResult, stampOf, textOf } from "./values.ts";
import { type PlannedCall, plannedCall } from "./write-plan.ts";
import { batches, recordOf, rounds } from "./write-rounds.ts";
import { carriesVariables, type FieldsWrite, writeVariables } from "./write-variables.ts";

/** Attachments that are sent at the same time. */
const uploadsAtOnce = 2;
const mostOwnEntries = 10_000;
/** A slow moment should not make batches pointless for ever. */
const smallestBatch = 20;

/** Writes to one instance. */
export class Writer {
  readonly #client: ServiceNowClient;
  readonly #schemas: Schemas;
  readonly #people: People;
  /** Accounts without rights to the batch API write one by one. */
  #batchAllowed = true;
  /** What the instance managed in the time that a batch has, when that was less than all. */
  #batchItems = batchItems;
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
    const run: Run = { operations, outcomes: [], fields: [], comments: [], lostVariables: new Map(), absent: [], sent: false };
    for (const round of rounds(operations)) await this.#round(run, round);
    await this.#readBack(run);
    return operations.map(
      (_, index) => run.outcomes[index] ?? { ok: false, error: this.#client.error("PROTOCOL", { message: "The write was left out.", uncertain: false }) },
    );
  }

  async #round(run: Run, round: readonly number[]): Promise<void> {
    const open = round.flatMap((index) => {
      const operation = run.operations[index];
      return operation === undefined || this.#heldBack(run, index, operation) ? [] : [{ index, operation }];
    });
    // At the same time, so that what has to be looked up for them shares calls.
    const planned = await Promise.all(open.map(async ({ index, operation }) => await this.#planned(run, index, operation)));
    const calls: Pending[] = [];
    for (const { index, plan } of planned) {
      if (!(plan instanceof Error)) {
        if (plan !== undefined) calls.push(plan);
        continue;
      }
      if (!(plan instanceof ConnectorError) || concernsInstance(plan)) this.#giveUp(run, plan);
      run.outcomes[index] = { ok: false, error: asConnectorError(plan) };
    }
    for (const batch of batches(calls, this.#batchItems)) await this.#send(run, batch);
    const uploads = open.filter(({ operation }) => operation.kind === "addAttachment");
    for (let start = 0; start < uploads.length; start += uploadsAtOnce)
      await Promise.all(uploads.slice(start, start + uploadsAtOnce).map(({ index }) => this.#upload(run, index)));
  }

  /** The call of an operation, why there can be none, or undefined where none is needed. */
  async #planned(run: Run, index: number, operation: WriteOperation): Promise<{ readonly index: number; readonly plan: Pending | Error | undefined }> {
    if (operation.kind === "addAttachment") return { index, plan: undefined };
    try {
      const rest = carriesVariables(operation) ? await this.#variables(run, index, operation) : operation;
      return { index, plan: rest && { index, operation: rest, ...(await plannedCall(this.#schemas, this.#people, rest)) } };
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return { index, plan: error };
    }
  }

  /** The operation without its catalog variables once those are written; undefined when nothing else is left of it. */
  async #variables(run: Run, index: number, operation: FieldsWrite): Promise<FieldsWrite | undefined> {
    const lost = await writeVariables(this.#client, operation);
    run.sent = true;
    if (lost.length > 0) run.lostVariables.set(index, lost);
    const { [variablesField]: _, ...fields } = operation.fields;
    if (Object.keys(fields).length > 0) return { ...operation, fields };
    run.outcomes[index] = { ok: true, id: idOf(operation, ""), ...(lost.length === 0 ? {} : { dropped: lost }) };
    return undefined;
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
    const again: Pending[] = [];
    for (const [position, pending] of batch.entries()) {
      const outcome = outcomes[position];
      if (outcome?.kind === "answered") this.#settle(run, pending, outcome.answer);
      // Unserviced means not begun: the batch ran out of time before [D].
      else if (outcome?.kind === "unserviced") again.push(pending);
      else
        run.outcomes[pending.index] = {
          ok: false,
          error: this.#client.error("PROTOCOL", { message: `ServiceNow's batch has no word of: ${pending.what}.`, uncertain: true }),
        };
    }
    if (again.length === 0) return;
    const served = batch.length - again.length;
    if (served === 0) for (const pending of again) await this.#sendAlone(run, pending);
    else {
      this.#batchItems = Math.max(served, smallestBatch);
      for (const rest of batches(again, served)) await this.#send(run, rest);
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
      if (answer.status === 404 && (operation.kind === "delete" || operation.kind === "removeAttachment")) run.absent.push({ index, operation });
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
    const lost = run.lostVariables.get(index);
    run.outcomes[index] = { ok: true, id: idOf(operation, id), ...(lost === undefined ? {} : { dropped: lost }) };
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

  /** Fills in the ids of comments, and which fields were not kept: both look-ups go out together. */
  async #readBack(run: Run): Promise<void> {
    await Promise.all([this.#findComments(run), this.#compareFields(run), this.#findRemoved(run)]);
  }

  /** What is surely gone is removed: an earlier try whose answer was lost may have done it. What may only be hidden stays refused. */
  async #findRemoved(run: Run): Promise<void> {
    if (run.absent.length === 0) return;
    try {
      const refs = run.absent.map(({ operation }) => (operation.kind === "delete" ? operation.ref : { type: "sys_attachment", id: operation.attachmentId }));
      const gone = new Set((await removedRecords(this.#client, this.#schemas, refs)).map(({ id }) => id));
      for (const [position, { index, operation }] of run.absent.entries())
        if (gone.has(refs[position]?.id ?? "")) run.outcomes[index] = { ok: true, id: idOf(operation, "") };
    } catch (error) {
      // The refusal stands.
      if (!(error instanceof ConnectorError)) throw error;
    }
  }

  async #findComments(run: Run): Promise<void> {
    if (run.comments.length === 0) return;
    try {
      if (this.#ownEntries.size > mostOwnEntries) this.#ownEntries.clear();
      const ids = await addedCommentIds(this.#client, run.comments, (await this.#people.self()).username ?? "", this.#ownEntries);
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
  }

  async #compareFields(run: Run): Promise<void> {
    try {
      for (const [index, dropped] of await droppedFields(this.#client, run.fields)) {
        const outcome = run.outcomes[index];
        const all = [...(outcome?.ok === true ? (outcome.dropped ?? []) : []), ...dropped];
        if (outcome?.ok === true && all.length > 0) run.outcomes[index] = { ...outcome, dropped: all };
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
  /** Removals of what the platform says is not there. */
  readonly absent: Removal[];
  /** Catalog variables that were not kept, by index. */
  readonly lostVariables: Map<number, readonly string[]>;
  /** Something reached the platform. */
  sent: boolean;
}

interface Pending extends PlannedCall {
  readonly index: number;
  readonly operation: Exclude<WriteOperation, { kind: "addAttachment" }>;
}

interface Removal {
  readonly index: number;
  readonly operation: Extract<WriteOperation, { kind: "delete" | "removeAttachment" }>;
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
