import { expect } from "vitest";
import type { Connector, Watch, WatchedChange, WatchPage } from "../connector.ts";

/** More pages than any case has: a feed that does not come to rest has lost its way. */
const mostPages = 400;
const mostRounds = 5;

export interface Followed {
  readonly changes: readonly WatchedChange[];
  readonly pages: readonly WatchPage[];
  readonly cursor: string;
}

/** Polls until the feed says that nothing more is there for now. Each page must hold each record once, within the limit. */
export async function follow(connector: Connector, watch: Watch, from: { readonly cursor?: string; readonly since?: string }, limit = 50): Promise<Followed> {
  const pages: WatchPage[] = [];
  let { cursor } = from;
  for (;;) {
    const page = await connector.poll(watch, cursor, limit, from.since);
    pages.push(page);
    expect(page.changes.length, "changes on a page").toBeLessThanOrEqual(limit);
    expect(new Set(page.changes.map(({ ref }) => ref.id)).size, "each record once a page").toBe(page.changes.length);
    cursor = page.cursor;
    if (!page.more) return { changes: pages.flatMap(({ changes }) => changes), pages, cursor };
    expect(pages.length, "pages until the feed comes to rest").toBeLessThan(mostPages);
  }
}

/** Goes on until a look at the feed brings nothing new: what changed while pages were read may take one more. */
export async function followToRest(
  connector: Connector,
  watch: Watch,
  from: { readonly cursor?: string; readonly since?: string },
  limit = 50,
): Promise<Followed> {
  let followed = await follow(connector, watch, from, limit);
  for (let rounds = 0; rounds < mostRounds; rounds++) {
    const next = await follow(connector, watch, { cursor: followed.cursor }, limit);
    const told = latestStates(followed.changes);
    const quiet = [...latestStates(next.changes)].every(([id, state]) => told.get(id) === state);
    followed = { changes: [...followed.changes, ...next.changes], pages: [...followed.pages, ...next.pages], cursor: next.cursor };
    if (quiet) return followed;
  }
  throw new Error(`The feed told of something new ${mostRounds} times although nothing happened.`);
}

export function idsOf(changes: readonly WatchedChange[]): string[] {
  return [...new Set(changes.map(({ ref }) => ref.id))];
}

/** The latest state that a feed told of each record: its version, or `deleted`. */
export function latestStates(changes: readonly WatchedChange[]): Map<string, string> {
  return new Map(changes.map(({ ref, version, deleted }) => [ref.id, deleted === true ? "deleted" : version]));
}
