import { z } from "zod";
import { accessSchema, accountSchema } from "./accounts.ts";
import type { Control } from "./controls.ts";
import { endSessions } from "./oauth.ts";
import { settingsSchema } from "./settings.ts";

const clientSchema = z.strictObject({
  clientId: z.string(),
  clientSecret: z.string(),
  userName: z.string().exactOptional(),
  publicKey: z.string().exactOptional(),
});

const settingsChange = settingsSchema.extend({ commitDelayMs: z.int().min(0).default(0) });
type SettingsChange = z.infer<typeof settingsChange>;

/** Who may sign in and do what, and the settings of the instance. */
export const accountControls: readonly Control[] = [
  {
    method: "POST",
    path: "settings",
    text:
      "Changes settings, all optional: batchServes, batchItemMs, invalidQueryMatchesNothing, cancelAfterRows, basicAuthRestricted, clientCredentialsEnabled, " +
      "accessTokenSeconds, refreshTokenRotates, singleSignOn (200, 302 or null), hibernating, attachmentLimitBytes, attachmentExtensions, " +
      'rateLimits [{"name", "api", "userName", "perHour", "retryAfter"}], semaphores {"slots", "queue", "holdMs"}, ' +
      "commitDelayMs (what is written from now on becomes visible so much later, with its early stamp). Answers all of them.",
    run: async (c, instance) => {
      const given = z.record(z.string(), z.unknown()).parse(await c.req.json());
      const now = { ...instance.settings, commitDelayMs: instance.store.commitDelayMs };
      const { commitDelayMs, ...settings }: SettingsChange = settingsChange.parse({ ...now, ...given });
      Object.assign(instance.settings, settings);
      instance.store.commitDelayMs = commitDelayMs;
      return c.json({ ...settings, commitDelayMs });
    },
  },
  {
    method: "POST",
    path: "session/expire",
    text: 'Ends all sessions; with {"refresh": true} refresh tokens too.',
    run: async (c, instance) => {
      const text = await c.req.text();
      endSessions(instance, text !== "" && z.object({ refresh: z.boolean().default(false) }).parse(JSON.parse(text)).refresh);
      return c.body(null, 204);
    },
  },
  {
    method: "POST",
    path: "oauth-clients",
    text: 'Registers an OAuth application: {"clientId", "clientSecret", "userName" (of client credentials), "publicKey" (PEM, of JWT assertions)}.',
    run: async (c, instance) => {
      instance.oauthClients.push(clientSchema.parse(await c.req.json()));
      return c.body(null, 204);
    },
  },
  {
    method: "POST",
    path: "api-keys",
    text: 'Registers an API key: {"key", "userName"}.',
    run: async (c, instance) => {
      const { key, userName } = z.strictObject({ key: z.string().min(1), userName: z.string() }).parse(await c.req.json());
      instance.tables.put("__api_key", key, { userName });
      return c.body(null, 204);
    },
  },
  {
    method: "POST",
    path: "accounts",
    text: 'Makes a person known: {"userName", "password", "firstName", "lastName", "email", "roles", "timeZone", "dateFormat", "timeFormat", "multiFactor", "access"}.',
    run: async (c, instance) => {
      const account = instance.addAccount(accountSchema.parse(await c.req.json()));
      return c.json({ userName: account.userName, userId: account.userId }, 201);
    },
  },
  {
    method: "POST",
    path: "accounts/:userName/access",
    text:
      "Replaces what an account may do: {hiddenRows, readOnlyRows: {table: encoded query}, hiddenFields, readOnlyFields: {table: [element]}, readOnlyTables, " +
      'deniedTables: [table], deniedRights: {table: ["create", "write", "delete"]}, dictionaryHidden, batchDenied}, or {"profile": name}.',
    run: async (c, instance) => {
      const account = instance.accounts.get(c.req.param("userName") ?? "");
      if (account === undefined) return c.json({ error: "no such account" }, 404);
      const given = await c.req.json();
      const named = z.strictObject({ profile: z.string() }).safeParse(given);
      const access = named.success ? instance.profiles.get(named.data.profile) : accessSchema.parse(given);
      if (access === undefined) return c.json({ error: "no such profile" }, 404);
      instance.accounts.put({ ...account, access });
      return c.body(null, 204);
    },
  },
  {
    method: "POST",
    path: "profiles/:name",
    text: "Keeps an access profile under a name, to be given to accounts. There from the start: full, least (no dictionary), read-only.",
    run: async (c, instance) => {
      instance.profiles.set(c.req.param("name") ?? "", accessSchema.parse(await c.req.json()));
      return c.body(null, 204);
    },
  },
];
