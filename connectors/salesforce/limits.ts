import type { Allowance } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { isMissingEndpoint } from "./absence.ts";
import type { SalesforceClient } from "./client.ts";
import type { SalesforceConfig } from "./config.ts";

/** What is kept back for writing unless the configuration says a number: this part of the day's calls. */
const keptBack = 0.05;
/** Once polls have stopped, no answer brings news of the allowance; it is asked for so often. */
const askAgainMs = 300_000;

/** How much of the org's calls of 24 hours is used, as the latest answer said. */
export class Budget {
  #allowance: (Allowance & { readonly at: number }) | undefined;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get allowance(): Allowance | undefined {
    return this.#allowance && { used: this.#allowance.used, max: this.#allowance.max };
  }

  /** Milliseconds since something was said about it. */
  get age(): number {
    return this.#allowance === undefined ? Number.POSITIVE_INFINITY : this.#now() - this.#allowance.at;
  }

  /** Takes note of the header `Sforce-Limit-Info: api-usage=8/15000` that comes with every answer [R]; an app may have an allowance of its own beside it (`per-app-api-usage`). */
  heard(header: string | null): void {
    const [, used, max] = /(?:^|[\s;,])api-usage=(\d+)\/(\d+)/.exec(header ?? "") ?? [];
    if (used !== undefined && max !== undefined) this.note({ used: Number(used), max: Number(max) });
  }

  note(allowance: Allowance): void {
    this.#allowance = { ...allowance, at: this.#now() };
  }
}

/** Asks for the limits; undefined where they are not for this account or say nothing of calls. `DailyApiRequests` has `Max` and `Remaining` [R]. */
export async function readAllowance(client: SalesforceClient): Promise<Allowance | undefined> {
  const call = { method: "GET", path: "/limits", what: "read the limits", write: false, repeatable: true } as const;
  const limits = await client.data(call).catch((error: unknown) => {
    if (!isMissingEndpoint(error)) throw error;
  });
  const { Max, Remaining } = (limits as { DailyApiRequests?: { Max?: unknown; Remaining?: unknown } } | undefined)?.DailyApiRequests ?? {}; // each is looked at
  if (typeof Max !== "number" || typeof Remaining !== "number") return undefined;
  const allowance = { used: Math.max(0, Max - Remaining), max: Max };
  client.budget.note(allowance);
  return allowance;
}

/**
 * Stops work that can wait before the platform has to refuse what cannot: the last calls of the day are for writing and for people.
 * Throws THROTTLED while only `reserveCalls` are left.
 */
export async function spareCalls(client: SalesforceClient, { reserveCalls }: SalesforceConfig): Promise<void> {
  const short = () => {
    const { allowance } = client.budget;
    return allowance !== undefined && allowance.max - allowance.used <= reserved(allowance, reserveCalls);
  };
  if (!short()) return;
  if (client.budget.age >= askAgainMs) await readAllowance(client);
  if (!short()) return;
  const { used = 0, max = 0 } = client.budget.allowance ?? {};
  throw new ConnectorError("THROTTLED", {
    message: `${used} of ${max} API calls of the last 24 hours are used; the rest is kept for writing, so Salesforce is not watched for now.`,
    advice: "Poll less often, raise the org's limit, or lower `reserveCalls`.",
    retryAfterMs: askAgainMs,
  });
}

function reserved({ max }: Allowance, wanted: number | undefined): number {
  return Math.min(wanted ?? Math.floor(max * keptBack), max);
}
