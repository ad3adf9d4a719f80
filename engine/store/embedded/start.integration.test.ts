import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type EmbeddedPostgres, removeEmbeddedPostgres, startEmbeddedPostgres } from "./start.ts";

const isRoot = process.geteuid?.() === 0;

/** A data folder with a database in it that no test starts, to be copied. */
let existing: string;
let folder: string;
let running: EmbeddedPostgres[];
let children: ChildProcess[];
let made: string[];

beforeAll(async () => {
  existing = await mkdtemp(join(tmpdir(), "isobridge existing "));
  await chmod(existing, 0o755);
  await (await startEmbeddedPostgres({ folder: existing })).close();
});
afterAll(async () => await rm(existing, { recursive: true }));

beforeEach(async () => {
  made = [];
  running = [];
  children = [];
  folder = await makeFolder("isobridge data ü ");
  // Making a database takes a second, copying one 50 ms. Tests about the first start use another folder.
  execFileSync("cp", ["-a", join(existing, "postgres"), folder]);
});

afterEach(async () => {
  await Promise.all(running.map(async ({ close }) => await close()));
  for (const child of children) child.kill("SIGKILL");
  for (const one of made) {
    // Waits for servers whose owner a test has killed.
    await removeEmbeddedPostgres(one).catch(() => undefined);
    await rm(one, { recursive: true, force: true });
  }
});

describe("the server", () => {
  test("keeps what was committed from one start to the next", async () => {
    const first = await start();
    await query(first.url, "create table note (text text)");
    await query(first.url, "insert into note values ('kept')");
    await first.close();
    const second = await start();
    expect(await query(second.url, "select text from note")).toEqual([{ text: "kept" }]);
  });

  test("listens on 127.0.0.1 alone, wants a password, and opens no socket file", async () => {
    const { url } = await start();
    expect(new URL(url).hostname).toBe("127.0.0.1");
    expect(await query(url, "show listen_addresses")).toEqual([{ listen_addresses: "127.0.0.1" }]);
    // The server writes down where it listens: line 5 names the folder of its socket, line 6 the address.
    const lines = (await readFile(join(folder, "postgres", "data", "postmaster.pid"), "utf8")).split("\n");
    expect(lines.slice(4, 6)).toEqual(["", "127.0.0.1"]);
    expect(await query(url, "show password_encryption")).toEqual([{ password_encryption: "scram-sha-256" }]);
    const wrong = new URL(url);
    wrong.password = "guessed";
    await expect(query(wrong.href, "select 1")).rejects.toThrow("password authentication failed");
    wrong.username = "postgres";
    await expect(query(wrong.href, "select 1")).rejects.toThrow("password authentication failed");
  });

  test("keeps its password and its data from other users of the machine", async () => {
    await start();
    expect((await stat(join(folder, "postgres", "password"))).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, "postgres", "data"))).mode & 0o777).toBe(0o700);
  });

  test("waits for the disk at each commit, whatever the configuration in the folder says", async () => {
    await (await start()).close();
    await writeFile(join(folder, "postgres", "data", "postgresql.auto.conf"), "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n");
    const { url } = await start();
    expect(await query(url, "show fsync")).toEqual([{ fsync: "on" }]);
    expect(await query(url, "show full_page_writes")).toEqual([{ full_page_writes: "on" }]);
    expect(await query(url, "show synchronous_commit")).toEqual([{ synchronous_commit: "on" }]);
  });

  test("is in UTF-8 and sorts by code point on every machine", async () => {
    const { url } = await start();
    expect(await query(url, "show server_encoding")).toEqual([{ server_encoding: "UTF8" }]);
    expect(await query(url, "select string_agg(c, '' order by c) as sorted, lower('ÄB') as lower from unnest(array['b', 'ä', 'A', 'Z', 'a']) as t(c)")).toEqual(
      [{ sorted: "AZabä", lower: "äb" }],
    );
  });

  test("gives us a role that owns its database and may make others, and is no superuser", async () => {
    const { url } = await start();
    expect(await query(url, "select rolsuper, rolcreatedb, rolcreaterole from pg_roles where rolname = current_user")).toEqual([
      { rolsuper: false, rolcreatedb: true, rolcreaterole: false },
    ]);
    await query(url, "create database another");
    await expect(query(url, "copy (select 1) to program 'true'")).rejects.toThrow("permission denied");
  });

  test("writes no statement and no data into the log", async () => {
    const lines: string[] = [];
    const { url, close } = await start({ log: (line) => lines.push(line) });
    await query(url, "create table person (name text unique)");
    await query(url, "insert into person values ('secret-name')");
    await expect(query(url, "insert into person values ('secret-name')")).rejects.toThrow("duplicate key");
    await close();
    expect(lines.join("\n")).toContain("ready to accept connections");
    expect(lines.join("\n")).not.toMatch(/secret-name|insert/);
    expect(lines.join("\n")).not.toContain(new URL(url).password);
  });

  test("comes back on the same address when it is killed while we live", async () => {
    const { url } = await start();
    await query(url, "create table note (text text)");
    process.kill(await postmasterOf(folder), "SIGKILL");
    await untilAnswers(url);
    expect(await query(url, "select * from note")).toEqual([]);
  });

  test("comes back on the same address when its supervisor is killed while we live", async () => {
    const { url } = await start();
    const postmaster = await postmasterOf(folder);
    process.kill(parentOf(postmaster), "SIGKILL");
    await expect.poll(async () => await postmasterOf(folder), { timeout: 20_000 }).not.toBe(postmaster);
    await untilAnswers(url);
  });

  test("is closed once however often it is asked to", async () => {
    const { url, close } = await start();
    await Promise.all([close(), close()]);
    await close();
    await expect(query(url, "select 1")).rejects.toThrow();
  });
});

describe("a folder has one owner", () => {
  test("a second start is refused and told the folder, the owner's process and what to do; the first goes on", async () => {
    const { child, url } = await startInChild(folder);
    const refusal = await start().catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "folder-in-use" });
    expect(String(refusal)).toContain(join(folder, "postgres"));
    expect(String(refusal)).toContain(`process ${child.pid} `);
    expect(await query(url, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  test("of two starts at the same instant on a new folder one gets it", async () => {
    const target = await makeFolder("isobridge-first-");
    const outcomes = await Promise.allSettled([startInChild(target), startInChild(target), startInChild(target)]);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const outcome of outcomes) if (outcome.status === "rejected") expect(String(outcome.reason)).toContain("is in use by");
  });

  test("two folders are served at once", async () => {
    const other = await makeFolder("isobridge-other-");
    const [first, second] = await Promise.all([start(), start({ folder: other })]);
    expect(first.url).not.toBe(second.url);
    expect(await Promise.all([query(first.url, "select 1 as n"), query(second.url, "select 2 as n")])).toEqual([[{ n: 1 }], [{ n: 2 }]]);
  });
});

describe("the server ends with its owner", () => {
  test.each([
    ["is killed with -9", "hold", (child: ChildProcess) => child.kill("SIGKILL")],
    ["gets SIGTERM and does not handle it", "hold", (child: ChildProcess) => child.kill("SIGTERM")],
    ["throws an error that nobody catches", "throw", (child: ChildProcess) => child.stdin?.write("now\n")],
    ["calls process.exit", "exit", (child: ChildProcess) => child.stdin?.write("now\n")],
    ["has nothing more to do and never closed it", "return", (child: ChildProcess) => child.stdin?.end()],
  ])("when the owner %s", async (_how, ending, end) => {
    const { child, url } = await startInChild(folder, { ending });
    await query(url, "create table note (text text)");
    const exited = once(child, "exit");
    end(child);
    await exited;
    await untilSilent(url);
    const again = await start();
    expect(await query(again.url, "select * from note")).toEqual([]);
  });

  test("a Ctrl-C, which reaches the whole process group, lets the owner finish its work first", async () => {
    const { child, lines } = await startInChild(folder, { ending: "finish-on-sigint", detached: true });
    if (child.pid === undefined) throw new Error("the child has no pid");
    process.kill(-child.pid, "SIGINT");
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(lines).toContain("finished");
  });
});

describe("after a crash the next start works and nothing committed is lost", () => {
  test.each([
    ["the owner and the supervisor, so that the server is left over", ["owner", "supervisor"]],
    ["the owner and the server", ["owner", "postmaster"]],
    ["the owner, the supervisor and the server", ["owner", "supervisor", "postmaster"]],
  ])("kill -9 of %s", async (_who, victims) => {
    const { child, url } = await startInChild(folder);
    await query(url, "create table note (text text)");
    await query(url, "insert into note values ('kept')");
    const postmaster = await postmasterOf(folder);
    const pids: Record<string, number | undefined> = { owner: child.pid, supervisor: parentOf(postmaster), postmaster };
    const exited = once(child, "exit");
    for (const victim of victims) {
      const pid = pids[victim];
      if (pid !== undefined) process.kill(pid, "SIGKILL");
    }
    await exited;
    const again = await start();
    expect(await query(again.url, "select text from note")).toEqual([{ text: "kept" }]);
  });

  test("kill -9 at any moment of the very first start", async () => {
    for (const milliseconds of [100, 200, 300, 450, 600, 800]) {
      const target = await makeFolder("isobridge-first-");
      const child = spawnHolder(target);
      await sleep(milliseconds);
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
      const { url, close } = await start({ folder: target });
      expect(await query(url, "select current_database() as name"), `killed after ${milliseconds} ms`).toEqual([{ name: "isobridge" }]);
      await close();
    }
  });

  test("a pid in the old server's file that is now another process's does not keep the server from starting", async () => {
    await (await start()).close();
    await writeFile(join(folder, "postgres", "data", "postmaster.pid"), `${process.pid}\n/elsewhere\n0\n5432\n\n127.0.0.1\n`);
    const { url } = await start();
    expect(await query(url, "select 1 as one")).toEqual([{ one: 1 }]);
  });
});

describe("a fault is one clear sentence", () => {
  const data = () => join(folder, "postgres", "data");

  test("a damaged control file", async () => {
    await (await start()).close();
    await truncate(join(data(), "global", "pg_control"), 100);
    await expect(start()).rejects.toMatchObject({ code: "damaged", message: expect.stringContaining(data()) });
  });

  test("a data folder that is none", async () => {
    await (await start()).close();
    await rm(join(data(), "PG_VERSION"));
    await expect(start()).rejects.toMatchObject({ code: "damaged", message: expect.stringContaining("PG_VERSION") });
  });

  test("data of another major version, which are left as they were", async () => {
    await (await start()).close();
    await writeFile(join(data(), "PG_VERSION"), "15\n");
    await expect(start()).rejects.toMatchObject({ code: "version", message: expect.stringContaining("PostgreSQL 15") });
    await writeFile(join(data(), "PG_VERSION"), "18\n");
    await start();
  });

  test("a password that is not that of the data", async () => {
    await (await start()).close();
    await rm(join(folder, "postgres", "password"));
    await expect(start()).rejects.toMatchObject({ code: "damaged", message: expect.stringContaining("password") });
  });

  test("a file in the place of the folder", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    await expect(start({ folder: file })).rejects.toMatchObject({ code: "failed", message: expect.stringContaining(file) });
  });

  test("a start that failed has given the folder up", async () => {
    await (await start()).close();
    await writeFile(join(data(), "PG_VERSION"), "15\n");
    await expect(start()).rejects.toMatchObject({ code: "version" });
    await expect(start()).rejects.toMatchObject({ code: "version" });
  });
});

test("removing a database leaves nothing of it, and is refused while it is in use", async () => {
  const { close } = await start();
  await expect(removeEmbeddedPostgres(folder)).rejects.toMatchObject({ code: "folder-in-use" });
  await close();
  await removeEmbeddedPostgres(folder);
  await expect(stat(join(folder, "postgres"))).rejects.toThrow("ENOENT");
});

if (isRoot) describe("as root", forRoot);
else describe("as an ordinary user", forOrdinaryUser);

function forRoot(): void {
  test("the server runs as another user", async () => {
    await start();
    expect((await stat(join(folder, "postgres", "data"))).uid).not.toBe(0);
  });

  test("below a folder that no other user can enter, the data lie elsewhere, always in the same place, and are found again", async () => {
    await chmod(folder, 0o700);
    const hidden = join(folder, "checkout", ".isobridge");
    made.push(hidden);
    const first = await start({ folder: hidden });
    await query(first.url, "create table note (text text)");
    await first.close();
    const place = await readFile(join(hidden, "postgres", "place"), "utf8");
    expect(place.startsWith(folder)).toBe(false);
    const second = await start({ folder: hidden });
    expect(await query(second.url, "select * from note")).toEqual([]);
    await second.close();
    await removeEmbeddedPostgres(hidden);
    await expect(stat(place)).rejects.toThrow("ENOENT");
  });

  test("a copied checkout does not open the data of the first, and a moved one keeps its own", async () => {
    await chmod(folder, 0o700);
    const original = join(folder, "original");
    await (await start({ folder: original })).close();
    const copy = join(folder, "copy");
    await cp(original, copy, { recursive: true });
    await expect(start({ folder: copy })).rejects.toMatchObject({ code: "folder-in-use", message: expect.stringContaining("is a copy of") });
    await rm(original, { recursive: true });
    await (await start({ folder: copy })).close();
    await removeEmbeddedPostgres(copy);
  });

  test("data that lay elsewhere and are gone are missed, not replaced by empty ones", async () => {
    await chmod(folder, 0o700);
    const hidden = join(folder, "hidden");
    await (await start({ folder: hidden })).close();
    await rm(await readFile(join(hidden, "postgres", "place"), "utf8"), { recursive: true });
    await expect(start({ folder: hidden })).rejects.toMatchObject({ code: "damaged", message: expect.stringContaining("which is gone") });
  });

  // Another user can only run our program where that user can read it, which is not so in a checkout below a closed folder.
  const nobody = { uid: Number(execFileSync("id", ["-u", "nobody"])), gid: Number(execFileSync("id", ["-g", "nobody"])) };
  if (canRead(nobody)) {
    test("an ordinary user's folder serves root too, and the user again after", async () => {
      await (await startInChild(await ownedBy(nobody), { ...nobody })).end();
      const asRoot = await start({ folder: join(folder, "own") });
      await query(asRoot.url, "create table note (text text)");
      await asRoot.close();
      const { url } = await startInChild(join(folder, "own"), { ...nobody });
      expect(await query(url, "select * from note")).toEqual([]);
    });

    test("root's folder is refused to an ordinary user with a clear sentence", async () => {
      await (await start()).close();
      await expect(startInChild(folder, { ...nobody })).rejects.toThrow("belongs to root, and this process runs as uid");
    });

    test("a folder that an ordinary user may not write is refused with a clear sentence", async () => {
      await expect(startInChild(join(folder, "new"), { ...nobody })).rejects.toThrow("has no permission to use");
    });
  }
}

function forOrdinaryUser(): void {
  test("the server runs as that user", async () => {
    await start();
    expect((await stat(join(folder, "postgres", "data"))).uid).toBe(process.geteuid?.());
  });

  test("a folder that the user may not write is refused with a clear sentence", async () => {
    const closed = await makeFolder("isobridge-closed-");
    await chmod(closed, 0o500);
    await expect(start({ folder: join(closed, "new") })).rejects.toMatchObject({
      code: "no-permission",
      message: expect.stringContaining("has no permission to use"),
    });
  });
}

async function start(options: { folder?: string; log?: (line: string) => void } = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ folder, ...options });
  running.push(server);
  return server;
}

interface ChildOptions {
  readonly ending?: string;
  readonly detached?: boolean;
  readonly uid?: number;
  readonly gid?: number;
}

function spawnHolder(target: string, { ending = "hold", ...options }: ChildOptions = {}): ChildProcess {
  const holder = `
    import { createInterface } from "node:readline";
    import { startEmbeddedPostgres } from ${JSON.stringify(new URL("start.ts", import.meta.url).href)};
    const [folder, ending] = process.argv.slice(1);
    const { url, close } = await startEmbeddedPostgres({ folder });
    const input = createInterface({ input: process.stdin });
    const endings = {
      hold: () => {},
      throw: () => input.on("line", () => { throw new Error("nobody catches this"); }),
      exit: () => input.on("line", () => process.exit(0)),
      return: () => {},
      "finish-on-sigint": () => process.once("SIGINT", async () => {
        const { default: pg } = await import(${JSON.stringify(import.meta.resolve("pg"))});
        await new Promise((done) => setTimeout(done, 300));
        const client = new pg.Client({ connectionString: url });
        await client.connect();
        await client.query("create table finished ()");
        await client.end();
        await close();
        console.log("finished");
        process.exit(0);
      }),
    };
    endings[ending]();
    console.log(url);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", holder, target, ending], { ...options, stdio: ["pipe", "pipe", "pipe"] });
  children.push(child);
  return child;
}

/** Resolves when the child's server is ready, and rejects with what it wrote if it ends before. */
async function startInChild(target: string, options: ChildOptions = {}): Promise<{ child: ChildProcess; url: string; lines: string[]; end(): Promise<void> }> {
  const child = spawnHolder(target, options);
  const lines: string[] = [];
  let complaint = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const url = await new Promise<string>((resolve, reject) => {
    if (child.stdout === null) return reject(new Error("the child has no output"));
    createInterface({ input: child.stdout }).on("line", (line) => {
      lines.push(line);
      if (line.startsWith("postgres://")) resolve(line);
    });
    child.once("close", () => reject(new Error(complaint)));
  });
  const end = async () => {
    const exited = once(child, "exit");
    child.stdin?.end();
    await exited;
    await untilSilent(url);
  };
  return { child, url, lines, end };
}

/** Open to other users, as a checkout in /srv or /home often is; root's server needs that to lie in it. */
async function makeFolder(prefix: string): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  await chmod(path, 0o755);
  made.push(path);
  return path;
}

async function ownedBy({ uid, gid }: { uid: number; gid: number }): Promise<string> {
  const path = join(folder, "own");
  made.push(path);
  await mkdir(path);
  execFileSync("chown", [`${uid}:${gid}`, path]);
  return path;
}

function canRead(user: { uid: number; gid: number }): boolean {
  try {
    execFileSync(process.execPath, ["-e", `require("fs").readFileSync(process.argv[1])`, import.meta.filename], { ...user, cwd: "/", stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined); // a server killed under it; the query itself fails then
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

async function untilAnswers(url: string): Promise<void> {
  await expect.poll(async () => await query(url, "select 1 as one").catch(() => []), { timeout: 20_000 }).toEqual([{ one: 1 }]);
}

async function untilSilent(url: string): Promise<void> {
  await expect
    .poll(async () => await query(url, "select 1").catch((error: unknown) => (error instanceof Error && "code" in error ? error.code : error)), {
      timeout: 20_000,
    })
    .toBe("ECONNREFUSED");
}

async function postmasterOf(target: string): Promise<number> {
  return Number.parseInt(await readFile(join(target, "postgres", "data", "postmaster.pid"), "utf8").catch(() => "0"), 10);
}

function parentOf(pid: number): number {
  return Number(execFileSync("ps", ["-o", "ppid=", "-p", String(pid)], { encoding: "utf8" }));
}
