/**
 * Why the private PostgreSQL could not be started. The message is one or two sentences for the operator: what is wrong, where,
 * and what to do.
 *
 * - `folder-in-use`: another living process owns the folder
 * - `wrong-owner`: the folder belongs to another user of this machine
 * - `no-permission`: something may not be read, written or entered
 * - `disk-full`
 * - `damaged`: the folder does not hold what was put there
 * - `version`: the data were written by another major version of PostgreSQL
 * - `no-program`: there is no PostgreSQL program for this machine, or it does not run here
 * - `no-account`: the process is root and there is no other account that the server can run as
 * - `no-port`: no free port on 127.0.0.1
 * - `failed`: anything else; the message carries what PostgreSQL said last
 */
export type EmbeddedPostgresFault =
  | "folder-in-use"
  | "wrong-owner"
  | "no-permission"
  | "disk-full"
  | "damaged"
  | "version"
  | "no-program"
  | "no-account"
  | "no-port"
  | "failed";

export class EmbeddedPostgresError extends Error {
  readonly code: EmbeddedPostgresFault;

  constructor(code: EmbeddedPostgresFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "EmbeddedPostgresError";
    this.code = code;
  }
}

/** Says an error of the operating system (`ENOSPC`, `EACCES` …) met at `path` in one sentence. Errors that were said already pass unchanged. */
export function faultFromSystem(error: unknown, path: string): EmbeddedPostgresError {
  if (error instanceof EmbeddedPostgresError) return error;
  const code = systemCode(error);
  if (code === "ENOSPC" || code === "EDQUOT") return diskFull(path, error);
  if (code === "EROFS")
    return new EmbeddedPostgresError("no-permission", `${path} is on a read-only file system. Choose another data folder.`, { cause: error });
  if (code === "EACCES" || code === "EPERM") {
    return new EmbeddedPostgresError(
      "no-permission",
      `This process (${whoAmI()}) has no permission to use ${path}. Choose another data folder or change its owner.`,
      { cause: error },
    );
  }
  const said = error instanceof Error ? error.message : String(error);
  return new EmbeddedPostgresError("failed", `The data folder ${path} cannot be prepared: ${said}`, { cause: error });
}

/**
 * Says the last lines that `initdb` or `postgres` wrote before it ended in one sentence. The texts are those of PostgreSQL 18 with
 * `lc_messages=C`, which is why the server never gets another message language.
 */
export function faultFromPostgres(lines: readonly string[], data: string): EmbeddedPostgresError {
  const said = lines.join("\n");
  if (/No space left on device|Disk quota exceeded/.test(said)) return diskFull(data);
  if (/database files are incompatible with server/.test(said)) {
    return new EmbeddedPostgresError(
      "version",
      `The data in ${data} were written by another version of PostgreSQL and cannot be read by this one: ${lastWords(lines)}`,
    );
  }
  if (damage.test(said)) {
    return new EmbeddedPostgresError(
      "damaged",
      `The database in ${data} is damaged and PostgreSQL refuses it (${lastWords(lines)}). Restore the data folder from a backup, or move it away to start empty.`,
    );
  }
  if (/Permission denied|has wrong ownership|invalid permissions/.test(said)) {
    return new EmbeddedPostgresError("no-permission", `PostgreSQL has no permission to use ${data}: ${lastWords(lines)}`);
  }
  return new EmbeddedPostgresError("failed", `PostgreSQL did not start on ${data}: ${lastWords(lines)}`);
}

const damage =
  /could not locate a valid checkpoint record|invalid checkpoint|invalid primary checkpoint|incorrect checksum in control file|could not (open|read) file ".*(pg_control|PG_VERSION|pg_filenode)|is not a (valid )?(data|database cluster) directory|could not find the database system|invalid data in file|contains invalid data|has wrong size|directory ".*" does not exist/;

export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function diskFull(path: string, cause?: unknown): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    "disk-full",
    `The disk that holds ${path} is full. Free some space and start again; nothing that was acknowledged is lost.`,
    { cause },
  );
}

function whoAmI(): string {
  return process.geteuid === undefined ? "this user" : `uid ${process.geteuid()}`;
}

/** The line that explains an end is the last FATAL, PANIC or error; what follows it is only "database system is shut down". */
function lastWords(lines: readonly string[]): string {
  const reason = lines.findLast((line) => /^(FATAL|PANIC): |error: |^\S*: error/.test(line)) ?? lines.findLast((line) => line.trim() !== "");
  return reason?.trim() ?? "it said nothing";
}
