import { ConnectorError } from "../errors.ts";
import type { HttpAnswer } from "../http.ts";
import type { Absences } from "./absence.ts";
import { type Caller, type RestOutcome, sendBatch } from "./batch.ts";

/** Reads of one batch: a list of a hundred records takes the platform about a second, and a batch has thirty [D]. */
const readsPerBatch = 20;
/** What a batch that is refused counts as among the absent tables. */
const batchName = "batch of reads";

interface Waiting {
  readonly path: string;
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Calls are what instances limit, so reads that are asked for at the same time go out as one batch; a single one goes as it
 * is. Whatever a batch cannot do (no right to it, a slow item, an answer without its headers) is asked for by itself, where
 * the usual repetitions apply.
 */
export class GatheredReads {
  readonly #caller: Caller;
  readonly #absences: Absences;
  readonly #longestPath: number;
  #waiting: Waiting[] = [];
  /** Some gateways take the headers of the items away, and without the total nobody knows where a list ends. */
  #usable = true;

  constructor(caller: Caller, absences: Absences, longestPath: number) {
    this.#caller = caller;
    this.#absences = absences;
    this.#longestPath = longestPath;
  }

  get(path: string): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ path, resolve, reject });
      if (this.#waiting.length === 1) setImmediate(() => this.#send());
    });
  }

  #send(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let start = 0; start < waiting.length; start += readsPerBatch) void this.#serve(waiting.slice(start, start + readsPerBatch));
  }

  async #serve(group: readonly Waiting[]): Promise<void> {
    const [first] = group;
    if (first === undefined) return;
    // A path that is too long for an address may still be short enough for a body [K].
    const alone = group.length === 1 && first.path.length <= this.#longestPath;
    const outcomes = alone || !this.#usable ? undefined : await this.#batch(group);
    if (outcomes instanceof Error) {
      for (const { reject } of group) reject(outcomes);
      return;
    }
    const again: Waiting[] = [];
    for (const [index, waiting] of group.entries()) {
      const outcome = outcomes?.[index];
      if (outcome?.kind === "answered" && this.#counts(outcome.answer)) waiting.resolve(outcome.answer);
      else if (outcome?.kind === "unserviced") again.push(waiting);
      else void this.#alone(waiting);
    }
    if (again.length === group.length) for (const waiting of again) void this.#alone(waiting);
    else await this.#serve(again);
  }

  /** The outcomes, or undefined where each is to be asked for by itself, or an error that concerns all. */
  async #batch(group: readonly Waiting[]): Promise<readonly RestOutcome[] | Error | undefined> {
    try {
      return await this.#absences.unlessOutOfReach(batchName, () =>
        sendBatch(
          this.#caller,
          group.map(({ path }) => ({ method: "GET", path })),
          true,
        ),
      );
    } catch (error) {
      // Nobody waits for the batch itself: thrown from here it would end the process, and its reads would wait for ever.
      if (!(error instanceof ConnectorError)) return error instanceof Error ? error : new Error(String(error));
      const everywhere = error.code.startsWith("AUTH") || error.code === "THROTTLED" || (error.code === "TRANSIENT" && error.status === undefined);
      return everywhere ? error : undefined;
    }
  }

  #counts(answer: HttpAnswer): boolean {
    const { status, headers, body } = answer;
    if (status === 401 || status === 429 || status >= 500 || body === undefined) return false;
    if (status < 300 && headers["x-total-count"] === undefined) this.#usable = false;
    return status >= 300 || this.#usable;
  }

  async #alone({ path, resolve, reject }: Waiting): Promise<void> {
    if (path.length > this.#longestPath) {
      reject(
        this.#caller.error("TOO_LARGE", {
          message: `The query is too long for one call (${path.length} of ${this.#longestPath} bytes), and this instance takes it in no batch.`,
          advice: "Shorten the trigger's query, or let a column of the table say what it says.",
        }),
      );
      return;
    }
    await this.#caller.answer({ method: "GET", path }).then(resolve, reject);
  }
}
