import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Secret } from "../store/secrets.ts";
import { type Configuration, ConfigurationError, type SecretSource } from "./file.ts";
import type { ApplyMeans } from "./plan.ts";

export async function resolveSecrets(configuration: Configuration, environment: ApplyMeans["environment"]): Promise<Map<string, Map<string, Secret>>> {
  const problems: string[] = [];
  const resolved = new Map<string, Map<string, Secret>>();
  for (const instance of configuration.instances) {
    const own = new Map<string, Secret>();
    resolved.set(instance.name, own);
    for (const [name, source] of Object.entries(instance.secrets)) {
      const text = await secretText(source, environment, dirname(configuration.path));
      if (typeof text === "string") own.set(name, new Secret(text));
      else problems.push(`${configuration.path}: instances.${instance.name}.secrets.${name}: ${text.problem}`);
    }
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  return resolved;
}

async function secretText(source: SecretSource, environment: ApplyMeans["environment"], folder: string): Promise<string | { readonly problem: string }> {
  if ("env" in source) {
    const text = environment[source.env];
    return text === undefined || text === "" ? { problem: `the environment variable ${source.env} is not set; set it to the secret and apply again` } : text;
  }
  const path = resolve(folder, source.file);
  try {
    // Editors end files with a line break that is no part of the secret; inside, a key in PEM has many that are.
    return (await readFile(path, "utf8")).replace(/\r?\n$/, "");
  } catch (error) {
    return { problem: `the file ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"})` };
  }
}
