import { ConnectorError } from "../errors.ts";

/** How long a thing that is not there is not asked for again. */
const rememberedMs = 600_000;
/** Not for this account, not here, not in this way, not built: never an outage, and a 401 is a matter of the session. */
const absentStatus = new Set([403, 404, 405, 501]);
/** 403 is also what throttling and a blocked API look like: the code tells them apart. A web page is PROTOCOL or TRANSIENT, thus no absence. */
const absentCodes = new Set(["NOT_FOUND_OR_HIDDEN", "PERMISSION", "BAD_REQUEST"]);

/** Whether an error says that an endpoint does not exist here, or is not for this account. */
export function isMissingEndpoint(error: unknown): error is ConnectorError {
  return error instanceof ConnectorError && absentCodes.has(error.code) && absentStatus.has(error.status ?? 0);
}

/** Whether an error says that an object does not exist here, or is not for this account. */
export function isMissingObject(error: unknown): error is ConnectorError {
  return isMissingEndpoint(error) || (error instanceof ConnectorError && error.platformCode === "INVALID_TYPE");
}

/** Whether an error says that a call was not understood as a whole: nothing of it was done. */
export function isRefused(error: unknown): error is ConnectorError {
  return error instanceof ConnectorError && (error.code === "BAD_REQUEST" || error.code === "VALIDATION") && !error.uncertain;
}

/** What turned out not to be there, remembered for a while so that not every call is paid twice. */
export class Absences {
  readonly #now: () => number;
  readonly #since = new Map<string, number>();
  readonly #seen = new Set<string>();

  constructor(now: () => number) {
    this.#now = now;
  }

  has(thing: string): boolean {
    return this.#now() - (this.#since.get(thing) ?? Number.NEGATIVE_INFINITY) < rememberedMs;
  }

  /** It answered: from now on its absence would be a loss. */
  saw(thing: string): void {
    this.#seen.add(thing);
  }

  /** True for what was there before. Read as empty, it would look as if somebody had deleted everything in it. */
  wasThere(thing: string): boolean {
    return this.#seen.has(thing);
  }

  note(thing: string): void {
    this.#since.set(thing, this.#now());
  }

  /** Somebody who has just mended something wants to see it. */
  forget(): void {
    this.#since.clear();
  }

  /** Asks for a thing, and goes the other way where it is not there. */
  async orElse<T>(thing: string, isMissing: (error: unknown) => boolean, ask: () => Promise<T>, otherwise: () => Promise<T>): Promise<T> {
    if (!this.has(thing)) {
      try {
        return await ask();
      } catch (error) {
        if (!isMissing(error)) throw error;
        this.note(thing);
      }
    }
    return await otherwise();
  }
}
