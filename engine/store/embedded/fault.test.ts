import { describe, expect, test } from "vitest";
import { EmbeddedPostgresError, faultFromPostgres, faultFromSystem } from "./fault.ts";

describe("what PostgreSQL said last becomes one sentence with what to do", () => {
  // The lines are those that PostgreSQL 18.4 wrote when each was provoked.
  test.each([
    [
      "damaged",
      ["LOG:  starting PostgreSQL 18.4", "PANIC:  could not locate a valid checkpoint record at 0/1B825D8"],
      "could not locate a valid checkpoint record",
    ],
    ["damaged", ["FATAL:  incorrect checksum in control file"], "incorrect checksum in control file"],
    ["damaged", [`FATAL:  could not open file "global/pg_filenode.map": No such file or directory`], "pg_filenode.map"],
    ["damaged", [`PANIC:  could not read file "global/pg_control": read 100 of 296`], "read 100 of 296"],
    ["disk-full", [`FATAL:  could not write to file "pg_wal/xlogtemp.31": No space left on device`], "is full"],
    ["disk-full", [`initdb: error: could not create directory "x/pg_wal": No space left on device`], "is full"],
    ["version", ["FATAL:  database files are incompatible with server"], "another version"],
    ["no-permission", [`FATAL:  data directory "/d" has wrong ownership`], "has wrong ownership"],
    ["failed", [`FATAL:  something new`, "LOG:  database system is shut down", ""], "FATAL:  something new"],
    ["failed", [], "it said nothing"],
  ] as const)("%s: %s", (code, lines, words) => {
    const fault = faultFromPostgres(lines, "/d");
    expect(fault.code).toBe(code);
    expect(fault.message).toContain("/d");
    expect(fault.message).toContain(words);
  });
});

test.each([
  ["ENOSPC", "disk-full"],
  ["EDQUOT", "disk-full"],
  ["EACCES", "no-permission"],
  ["EPERM", "no-permission"],
  ["EROFS", "no-permission"],
  ["EIO", "failed"],
])("the system's %s is told as %s, with the path", (code, fault) => {
  const told = faultFromSystem(Object.assign(new Error("it failed"), { code }), "/d");
  expect(told.code).toBe(fault);
  expect(told.message).toContain("/d");
});

test("a fault that was told already is not told again in other words", () => {
  const fault = new EmbeddedPostgresError("folder-in-use", "in use");
  expect(faultFromSystem(fault, "/d")).toBe(fault);
});
