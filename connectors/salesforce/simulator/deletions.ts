import type { Clock } from "../../simulation/clock.ts";
import type { Tables } from "../../simulation/tables.ts";
import type { Row } from "./org.ts";

/** Deleted records stay in the recycle bin for fifteen days [D]. */
const binMs = 15 * 86_400_000;
const hourMs = 3_600_000;
/** The log of deletions reaches back longer than anybody may ask. */
const reachMs = 60 * 86_400_000;

/** The log of deletions: a record stays in it when it leaves the recycle bin, and leaves it when it is restored [D]. */
export class Deletions {
  /** Deletions before this were forgotten, in milliseconds; nobody may ask for them. */
  #forgotten = 0;
  #swept = 0;
  readonly #tables: Tables<Row>;
  readonly #clock: Clock;

  constructor(tables: Tables<Row>, clock: Clock) {
    this.#tables = tables;
    this.#clock = clock;
  }

  note(type: string, { Id, IsDeleted }: Row): void {
    if (IsDeleted !== true) this.#tables.delete(tableOf(type), Id);
    else this.#tables.put(tableOf(type), Id, { Id, at: Math.floor(this.#clock.now().getTime() / 1000) * 1000 });
  }

  between(type: string, start: Date, end: Date): { readonly id: string; readonly at: Date }[] {
    return [...this.#tables.rows(tableOf(type))]
      .filter(({ at }) => Number(at) >= start.getTime() && Number(at) <= end.getTime())
      .map(({ Id, at }) => ({ id: Id, at: new Date(Number(at)) }));
  }

  /** From when on deletions are known. */
  earliest(): Date {
    return new Date(Math.max(this.#forgotten, this.#clock.now().getTime() - reachMs));
  }

  /** Forgets all deletions until now, as the platform does when there are too many of them. */
  forget(): void {
    this.#forgotten = this.#clock.now().getTime();
    for (const table of this.#names()) for (const { Id } of [...this.#tables.rows(table)]) this.#tables.delete(table, Id);
  }

  /** The records whose time in the recycle bin is over; looked for once an hour of the simulator's clock. */
  leavingTheBin(): { readonly type: string; readonly id: string }[] {
    const now = this.#clock.now().getTime();
    // The clock may have been set back since.
    if (now >= this.#swept && now < this.#swept + hourMs) return [];
    this.#swept = now;
    return this.#names().flatMap((table) =>
      [...this.#tables.rows(table)].filter(({ at }) => Number(at) <= now - binMs).map(({ Id }) => ({ type: table.slice(prefix.length), id: Id })),
    );
  }

  #names(): string[] {
    return this.#tables.names().filter((name) => name.startsWith(prefix));
  }
}

const prefix = "__deleted:";

function tableOf(type: string): string {
  return prefix + type;
}
