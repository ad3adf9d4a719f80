import { salesforceId } from "../id.ts";
import { ApiError } from "./api-error.ts";
import { csvLine, readCsv } from "./csv.ts";
import type { Input, Org } from "./org.ts";
import { upsert } from "./record-routes.ts";
import { runSoql } from "./soql-run.ts";
import { instantText } from "./values.ts";

export type Operation = "insert" | "update" | "upsert" | "delete" | "hardDelete";

/** A job of Bulk API 2.0 that writes. */
export interface IngestJob {
  readonly id: string;
  readonly object: string;
  readonly operation: Operation;
  readonly externalIdFieldName: string | undefined;
  readonly lineEnding: "LF" | "CRLF";
  readonly columnDelimiter: "COMMA";
  readonly apiVersion: number;
  readonly createdById: string;
  readonly createdDate: string;
  state: "Open" | "UploadComplete" | "InProgress" | "JobComplete" | "Failed" | "Aborted";
  csv: string;
  results: readonly IngestResult[];
  /** Why it failed as a whole. */
  errorMessage: string | undefined;
}

export interface IngestResult {
  readonly id: string;
  readonly created: boolean;
  readonly error: string | undefined;
  /** The row as it was given. */
  readonly cells: readonly string[];
}

/** A job that reads: its rows as CSV lines, the names of its columns first. */
export interface QueryJob {
  readonly id: string;
  readonly operation: "query" | "queryAll";
  readonly query: string;
  readonly apiVersion: number;
  readonly createdById: string;
  readonly createdDate: string;
  state: "UploadComplete" | "JobComplete" | "Aborted";
  readonly header: string;
  readonly lines: readonly string[];
}

/** The bulk jobs of an org: worked at once, but told of as done only to who asks again, as a real queue would [D]. */
export class BulkJobs {
  readonly ingest = new Map<string, IngestJob>();
  readonly queries = new Map<string, QueryJob>();
  #last = 0;

  nextId(): string {
    return salesforceId(`7505g${String(++this.#last).padStart(10, "0")}`) ?? "";
  }
}

/** Saves the rows of a job, each for itself [D]. */
export function work(org: Org, job: IngestJob, caller: string): void {
  const [header = [], ...rows] = readCsv(job.csv);
  job.results = rows.map((cells) => outcome(org, job, header, cells, caller));
  job.state = "InProgress";
}

/** Starts a query: its rows as they are now. Throws what the platform says of the statement. */
export function startQuery(org: Org, jobs: BulkJobs, statement: string, operation: QueryJob["operation"], version: string, caller: string): QueryJob {
  if (/^\s*SELECT\b[^']*?\(\s*SELECT\b[^']*\bFROM\b.*\)\s*FROM\b/is.test(statement))
    throw new ApiError(400, "API_ERROR", "Nested queries are not supported by Bulk API 2.0");
  const result = runSoql(org, statement, { deletedToo: operation === "queryAll", version, page: () => null });
  const names = columnsOf(statement);
  const lines = result.rows.map((show) => {
    const record = show();
    return csvLine(names.map((name) => cellOf(record, name)));
  });
  const job: QueryJob = {
    id: jobs.nextId(),
    operation,
    query: statement,
    apiVersion: Number(version),
    createdById: caller,
    createdDate: instantText(org.clock.now()),
    state: "UploadComplete",
    header: csvLine(names),
    lines,
  };
  jobs.queries.set(job.id, job);
  return job;
}

function outcome(org: Org, job: IngestJob, header: readonly string[], cells: readonly string[], caller: string): IngestResult {
  const id = cells[header.findIndex((name) => name.toLowerCase() === "id")] ?? "";
  try {
    const saved = save(org, job, inputOf(header, cells), id, caller);
    return { ...saved, error: undefined, cells };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { id, created: false, error: `${error.errorCode}:${error.message}:${error.fields.join(",")}--`, cells };
  }
}

function save(org: Org, { object, operation, externalIdFieldName }: IngestJob, input: Input, id: string, caller: string): { id: string; created: boolean } {
  switch (operation) {
    case "insert":
      return { id: org.create(object, input, caller).Id, created: true };
    case "update":
      return { id: org.update(object, id, input, caller).Id, created: false };
    case "upsert": {
      const field = externalIdFieldName ?? "";
      const name = Object.keys(input).find((key) => key.toLowerCase() === field.toLowerCase()) ?? field;
      const { [name]: value, ...rest } = input;
      const saved = upsert(org, org.object(object), field, String(value ?? ""), rest, caller);
      if (saved.kind === "several") throw new ApiError(400, "DUPLICATE_EXTERNAL_ID", `${field}: more than one record found for external id field`);
      return { id: saved.id, created: saved.kind === "created" };
    }
    case "delete":
    case "hardDelete":
      org.delete(object, id, caller);
      if (operation === "hardDelete") org.purge(org.object(object).name, [salesforceId(id) ?? id]);
      return { id: salesforceId(id) ?? id, created: false };
  }
}

/** Empty cells are left alone; `#N/A` empties the field [D]. */
function inputOf(header: readonly string[], cells: readonly string[]): Input {
  return Object.fromEntries(
    header.flatMap((name, i) => {
      const cell = cells[i] ?? "";
      return name.toLowerCase() === "id" || cell === "" ? [] : [[name, cell === "#N/A" ? null : cell]];
    }),
  );
}

function columnsOf(statement: string): string[] {
  const [, list = ""] = /^\s*SELECT\s+(.*?)\s+FROM\s/is.exec(statement) ?? [];
  return list.split(",").map((name) => name.trim());
}

function cellOf(record: Record<string, unknown>, path: string): string {
  let value: unknown = record;
  for (const part of path.split(".")) {
    const holder = value as Record<string, unknown> | null | undefined; // what a record holds: objects for parents
    const key = Object.keys(holder ?? {}).find((name) => name.toLowerCase() === part.toLowerCase());
    value = key === undefined ? undefined : holder?.[key];
  }
  return value === null || value === undefined ? "" : String(value);
}
