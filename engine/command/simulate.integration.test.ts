import { spawn } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import axios from "axios";
import { SignJWT } from "jose";
import { describe, expect, test } from "vitest";

interface Running {
  /** What it printed until it was ready. */
  readonly said: string;
  readonly url: string;
  stop(): Promise<number | null>;
}

async function simulate(...words: readonly string[]): Promise<Running> {
  const main = fileURLToPath(new URL("../main.ts", import.meta.url));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, "simulate", ...words], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  let said = "";
  for await (const chunk of child.stdout) {
    said += String(chunk);
    if (said.includes("Stop with Ctrl+C")) break;
  }
  return {
    said,
    url: /listens on (\S+)/.exec(said)?.[1] ?? "",
    async stop() {
      child.kill("SIGINT");
      return (await ended)[0];
    },
  };
}

const found = (text: string, pattern: RegExp): string => pattern.exec(text)?.[1] ?? "";

describe("isobridge simulate", () => {
  test("runs a Salesforce org that lets in who signs with the key that it tells of, and has the records asked for", async () => {
    const org = await simulate("salesforce", "--records", "3");
    const key = found(org.said, /private key +(\S+)/);
    const assertion = await new SignJWT({})
      .setProtectedHeader({ alg: "RS256" })
      .setIssuer(found(org.said, /client id +([^,\s]+)/))
      .setSubject(found(org.said, /acts as (\S+)/))
      .setAudience(org.url)
      .setExpirationTime("3m")
      .sign(createPrivateKey(readFileSync(key, "utf8")));
    const form = new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion });
    const { data } = await axios.post(`${org.url}/services/oauth2/token`, form, { proxy: false });
    const headers = { authorization: `Bearer ${data.access_token}` };
    const rows = await axios.get(`${org.url}/services/data/v60.0/query?q=SELECT+Subject+FROM+Case+ORDER+BY+Subject`, { headers, proxy: false });
    expect(rows.data.records.map(({ Subject }: { Subject: string }) => Subject)).toEqual(["Case number 1", "Case number 2", "Case number 3"]);
    expect(await org.stop()).toBe(0);
    // Nothing of a passing one stays behind.
    expect(existsSync(key)).toBe(false);
  });

  test("runs a ServiceNow instance with the users that it tells of; beyond this machine its controls want a token", async () => {
    const instance = await simulate("servicenow", "--records", "2", "--host", "0.0.0.0");
    const url = instance.url.replace("0.0.0.0", "127.0.0.1");
    const [, username = "", password = ""] = /user (\S+), password (\S+)/.exec(instance.said) ?? [];
    const { headers } = await axios.get(`${url}/api/now/table/incident?sysparm_limit=1`, { auth: { username, password }, proxy: false });
    expect(headers["x-total-count"]).toBe("2");
    const control = async (token?: string) =>
      (
        await axios.get(`${url}/__control/requests`, {
          headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
          validateStatus: () => true,
          proxy: false,
        })
      ).status;
    expect(await control()).toBe(401);
    expect(await control(found(instance.said, /control token +(\S+)/))).toBe(200);
    expect(await instance.stop()).toBe(0);
  });
});
