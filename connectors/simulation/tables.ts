import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";

/**
 * The records of a simulated platform: plain rows by table and id, in memory, in the order of their creation.
 * With a folder, every change is appended to a journal before the caller goes on, so that a simulator killed with -9
 * comes back with each answer it gave; a platform would not forget either. A line cut off by the kill is dropped.
 */
export class Tables<Row extends object = Record<string, unknown>> {
  readonly #tables = new Map<string, Map<string, Row>>();
  #journal: number | undefined;

  constructor(folder?: string) {
    if (folder === undefined) return;
    mkdirSync(folder, { recursive: true });
    this.#replay(join(folder, "journal.jsonl"));
  }

  get(table: string, id: string): Row | undefined {
    return this.#tables.get(table)?.get(id);
  }

  rows(table: string): IterableIterator<Row> {
    return (this.#tables.get(table) ?? new Map<string, Row>()).values();
  }

  names(): string[] {
    return [...this.#tables.keys()];
  }

  count(table: string): number {
    return this.#tables.get(table)?.size ?? 0;
  }

  /** Stores a row whole; the row given is kept, so callers pass a fresh object. */
  put(table: string, id: string, row: Row): void {
    this.#append({ table, id, row });
    this.#set(table, id, row);
  }

  delete(table: string, id: string): boolean {
    this.#append({ table, id, row: null });
    return this.#tables.get(table)?.delete(id) ?? false;
  }

  close(): void {
    if (this.#journal === undefined) return;
    fsyncSync(this.#journal);
    closeSync(this.#journal);
    this.#journal = undefined;
  }

  #set(table: string, id: string, row: Row): void {
    let rows = this.#tables.get(table);
    if (rows === undefined) {
      rows = new Map();
      this.#tables.set(table, rows);
    }
    rows.set(id, row);
  }

  #append(change: { table: string; id: string; row: Row | null }): void {
    if (this.#journal !== undefined) writeSync(this.#journal, `${JSON.stringify(change)}\n`);
  }

  #replay(file: string): void {
    if (existsSync(file)) {
      const bytes = readFileSync(file);
      const end = bytes.lastIndexOf(0x0a) + 1;
      for (const line of bytes.subarray(0, end).toString("utf8").split("\n")) {
        if (line === "") continue;
        const change = JSON.parse(line) as { table: string; id: string; row: Row | null };
        if (change.row === null) this.#tables.get(change.table)?.delete(change.id);
        else this.#set(change.table, change.id, change.row);
      }
      if (end < bytes.length) truncateSync(file, end);
    }
    this.#journal = openSync(file, "a");
  }
}
