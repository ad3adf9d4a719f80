import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createApp } from "../../engine/server/app.ts";
import { leastRoles } from "../../engine/server/roles.ts";
import { roles } from "../../engine/store/schema.ts";
import { replaceToken, tokenHolder } from "../../engine/store/tokens.ts";
import { openRuleDesk, type RuleDesk, rule } from "./desk.ts";

type Role = (typeof roles)[number];

/** Who may do what, written down once more by hand: what the table of least roles must come to. */
const allowed: Readonly<Record<Role, readonly Role[]>> = {
  viewer: ["viewer", "editor", "publisher", "operator", "admin"],
  editor: ["editor", "publisher", "admin"],
  publisher: ["publisher", "admin"],
  operator: ["operator", "admin"],
  admin: ["admin"],
};

let desk: RuleDesk;
let app: ReturnType<typeof createApp>;
const tokens = new Map<Role, string>();
let calls: readonly { readonly method: string; readonly path: string }[];

beforeAll(async () => {
  desk = await openRuleDesk({ start: false });
  app = createApp({ context: desk.world.context, compiler: desk.world.node.compiler });
  for (const role of roles) tokens.set(role, await replaceToken(desk.world.db, `a ${role}`, role));
  const document = (await (await app.request("/api/openapi.json")).json()) as { paths: Record<string, Record<string, unknown>> };
  calls = Object.entries(document.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => ({ method, path })));
});
afterAll(async () => {
  await desk?.close();
});

async function as(role: Role, method: string, path: string, body?: unknown) {
  const response = await app.request(path, {
    method: method.toUpperCase(),
    headers: { authorization: `Bearer ${tokens.get(role)}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  // Whatever JSON came: its shape is what is being tested.
  return { status: response.status, body: (await response.json()) as ReturnType<typeof JSON.parse> };
}

test("the table of roles names every call of the API, and no other", () => {
  expect(calls.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(Object.keys(leastRoles).sort());
});

describe.each(roles)("a token of the role %s", (role) => {
  test("may make exactly the calls that the role may make", async () => {
    const wrong: string[] = [];
    for (const { method, path } of calls) {
      const least = leastRoles[`${method} ${path}`] ?? "admin";
      // Names and ids of nothing: a call that is let through finds nothing there.
      const at = path
        .replaceAll("{id}", "00000000-0000-4000-8000-000000000000")
        .replaceAll("{direction}", "incoming")
        .replaceAll(/\{\w+\}/g, "nothing");
      const { status, body } = await as(role, method, at, method === "get" || method === "delete" ? undefined : {});
      const isRefused = status === 403 && body.error.code === "FORBIDDEN";
      if (isRefused === allowed[least].includes(role) || status === 401 || status === 500) wrong.push(`${method} ${path}: ${status} ${JSON.stringify(body)}`);
    }
    expect(wrong).toEqual([]);
  });
});

test("what each role may do is what people expect of its name", () => {
  const of = (role: Role) => Object.entries(leastRoles).flatMap(([call, least]) => (least === role ? [call] : []));
  expect(of("viewer").every((call) => call.startsWith("get "))).toBe(true);
  expect(of("publisher").every((call) => /(versions|publish|activate)$/.test(call))).toBe(true);
  expect(of("operator")).toEqual([
    "post /api/instances/{name}/check",
    "post /api/failures/{id}/retry",
    "post /api/failures/{id}/skip",
    "post /api/connections/{name}/sides/{side}/sync",
  ]);
  for (const call of of("editor")) expect(call).not.toMatch(/^get |publish$|activate$|versions$|retry$|skip$|sync$/);
});

test("publishing although pinned samples fail takes an admin; a publisher is told so", async () => {
  const source = await desk.activeSource("SN", "outgoing");
  const sample = { direction: "outgoing", entity: { entityType: "incident", number: "INC1" }, expected: { replica: { key: "something else" } } };
  expect((await as("editor", "post", rule("SN", "outgoing", "/samples"), { name: "wrong", content: sample })).status).toBe(201);
  const publishing = { source: `${source}\n// changed`, note: "n" };
  const versions = rule("SN", "outgoing", "/versions");
  expect(await as("publisher", "post", versions, publishing)).toMatchObject({
    status: 422,
    body: { error: { code: "SAMPLES_FAIL", message: expect.stringContaining("An admin may publish it all the same") } },
  });
  expect(await as("publisher", "post", versions, { ...publishing, despite: "I know." })).toMatchObject({
    status: 403,
    body: { error: { code: "FORBIDDEN", message: expect.stringContaining("needs the role admin; this token has the role publisher") } },
  });
  const done = await as("admin", "post", versions, { ...publishing, despite: "I know." });
  expect(done.status).toBe(201);
  expect((await as("viewer", "get", `/api/rule-versions/${done.body.id}`)).body).toMatchObject({ report: { despite: "I know." } });
});

test("isobridge token makes one of the role that is asked for, an admin's unless said", async () => {
  const make = async (...words: readonly string[]): Promise<string> => {
    const env = { ...process.env, DATABASE_URL: desk.world.databaseUrl, ISOBRIDGE_DATA: desk.world.folder, ISOBRIDGE_KEY: "" };
    const main = fileURLToPath(new URL("../../engine/main.ts", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, ["--disable-warning=ExperimentalWarning", main, "token", ...words], { env });
    return stdout.trim();
  };
  const roleOf = async (token: string) => (await tokenHolder(desk.world.db, token))?.role;
  const first = await make("--name", "board", "--role", "viewer");
  expect(await roleOf(first)).toBe("viewer");
  expect(await roleOf(await make("--name", "board"))).toBe("admin");
  expect(await roleOf(first)).toBeUndefined();
  await expect(make("--role", "boss")).rejects.toThrow("Allowed choices are viewer, editor, publisher, operator, admin");
});

test("a token without a known text is nobody's", async () => {
  const response = await app.request("/api/rules", { headers: { authorization: "Bearer ib_nothing" } });
  expect(response.status).toBe(401);
});
