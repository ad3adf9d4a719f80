import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { missingPackages } from "./packages.mjs";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "isobridge-packages-"));
});
afterEach(async () => await rm(root, { recursive: true }));

const a = { version: "1.0.0", integrity: "sha512-a" };
const b = { version: "2.0.0", integrity: "sha512-b" };

describe("packages are missing", () => {
  test("all of them, when nothing is installed", async () => {
    await writeLock({ "node_modules/a": a, "node_modules/b": b });
    expect(missingPackages(root)).toEqual(["node_modules/a", "node_modules/b"]);
  });

  test("all of them, when an install was killed before npm wrote down what it did", async () => {
    await writeLock({ "node_modules/a": a });
    await install({ "node_modules/a": a });
    await rm(join(root, "node_modules", ".package-lock.json"));
    expect(missingPackages(root)).toEqual(["node_modules/a"]);
  });

  test("those with another version or another content", async () => {
    await writeLock({ "node_modules/a": a, "node_modules/b": b, "node_modules/c": a });
    await install({ "node_modules/a": { ...a, version: "0.9.0" }, "node_modules/b": { ...b, integrity: "sha512-x" }, "node_modules/c": a });
    expect(missingPackages(root)).toEqual(["node_modules/a", "node_modules/b"]);
  });

  test("those whose folder somebody removed", async () => {
    await writeLock({ "node_modules/a": a, "node_modules/b": b });
    await install({ "node_modules/a": a, "node_modules/b": b });
    await rm(join(root, "node_modules", "b"), { recursive: true });
    expect(missingPackages(root)).toEqual(["node_modules/b"]);
  });

  test("optional ones that are for this machine, as after a move to another machine", async () => {
    await writeLock({ "node_modules/a": { ...a, optional: true, os: [process.platform], cpu: process.arch } });
    await install({});
    expect(missingPackages(root)).toEqual(["node_modules/a"]);
  });
});

describe("packages are not missing", () => {
  test("when node_modules holds what the lock file names", async () => {
    await writeLock({ "node_modules/a": a, "node_modules/b": b });
    await install({ "node_modules/a": a, "node_modules/b": b });
    expect(missingPackages(root)).toEqual([]);
  });

  test.each([
    ["another system", { os: ["plan9"] }],
    ["another processor", { os: [process.platform], cpu: "pdp11" }],
    ["any system but this", { os: [`!${process.platform}`] }],
    ["the users of another optional package", {}],
  ])("optional ones for %s", async (_whom, limits) => {
    await writeLock({ "node_modules/a": { ...a, optional: true, ...limits } });
    await install({});
    expect(missingPackages(root)).toEqual([]);
  });
});

test("a checkout without its lock file is told so", () => {
  expect(() => missingPackages(root)).toThrow("the checkout is not complete");
});

describe("the lock file of this project", () => {
  // npm writes an incomplete one when it finds a node_modules of one platform, and then `npm ci` refuses it, on every machine.
  test("names every package that a package in it depends on, for all platforms", async () => {
    const { packages } = JSON.parse(await readFile(new URL("../package-lock.json", import.meta.url), "utf8"));
    const missing = Object.entries<{ dependencies?: object; optionalDependencies?: object }>(packages).flatMap(([path, entry]) =>
      Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })
        .filter((name) => !resolvable(name, path, packages))
        .map((name) => `${name}, needed by ${path}`),
    );
    expect(missing).toEqual([]);
  });

  test("every direct dependency has one exact version", async () => {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    }
  });

  test("every package with an install script is listed, and none may run it", async () => {
    const { allowScripts } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
    const { packages } = JSON.parse(await readFile(new URL("../package-lock.json", import.meta.url), "utf8"));
    const withScript = Object.entries<{ hasInstallScript?: boolean }>(packages).filter(([, entry]) => entry.hasInstallScript === true);
    const names = withScript.map(([path]) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length));
    expect(allowScripts).toEqual(Object.fromEntries([...new Set(names)].map((name) => [name, false])));
  });
});

async function writeLock(packages: object): Promise<void> {
  await writeFile(join(root, "package-lock.json"), JSON.stringify({ packages: { "": { name: "test" }, ...packages } }));
}

async function install(packages: object): Promise<void> {
  for (const path of ["node_modules", ...Object.keys(packages)]) {
    await mkdir(join(root, path), { recursive: true });
    await writeFile(join(root, path, "package.json"), "{}");
  }
  await writeFile(join(root, "node_modules", ".package-lock.json"), JSON.stringify({ packages }));
}

/** As Node looks a package up: in the folder of the dependent, then in each above it. */
function resolvable(name: string, from: string, packages: object): boolean {
  if (from === "") return `node_modules/${name}` in packages;
  const above = from.slice(0, Math.max(0, from.lastIndexOf("/node_modules/")));
  return `${from}/node_modules/${name}` in packages || resolvable(name, above, packages);
}
