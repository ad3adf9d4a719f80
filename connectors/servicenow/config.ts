import { z } from "zod";
import { isLoopback } from "../http.ts";
import { suppliedSchema } from "./supplied-schema.ts";

const instanceUrl = z.string().superRefine((text, context) => {
  const url = URL.parse(text);
  const plain = url !== null && url.pathname === "/" && url.search === "" && url.hash === "" && url.username === "";
  if (!plain) context.addIssue({ code: "custom", message: "must be the address of the instance alone, like https://example.service-now.com" });
  else if (url.protocol !== "https:" && url.protocol !== "http:") context.addIssue({ code: "custom", message: "must be https" });
});

const auth = z.discriminatedUnion("type", [
  /** Inbound basic authentication is being restricted by the vendor; OAuth is the better choice [R]. */
  z.strictObject({ type: z.literal("basic"), username: z.string().min(1) }),
  z.strictObject({ type: z.literal("oauth-password"), clientId: z.string().min(1), username: z.string().min(1) }),
  z.strictObject({ type: z.literal("client-credentials"), clientId: z.string().min(1) }),
  /** `username` is what the user field of the OAuth JWT endpoint holds; `kid` the key id of its verifier. */
  z.strictObject({ type: z.literal("jwt-bearer"), clientId: z.string().min(1), username: z.string().min(1), kid: z.string().min(1).optional() }),
  z.strictObject({ type: z.literal("refresh-token"), clientId: z.string().min(1) }),
  /** A key in the header x-sn-apikey; `username`, the user whom the key names, helps where sys_user cannot be read. */
  z.strictObject({ type: z.literal("api-key"), username: z.string().min(1).optional() }),
]);

/** One ServiceNow instance as an administrator writes it down. Secrets are not part of it. */
export const servicenowConfig = z
  .strictObject({
    url: instanceUrl,
    auth,
    /** How far back the newest part of a table is read again, for rows that commit late, in seconds. */
    pollOverlapSeconds: z.number().min(0).max(3600).default(10),
    /** How long a table's schema is believed, and that a table of the platform is out of reach, in seconds. */
    schemaSeconds: z.number().min(0).default(600),
    /** Tables as an administrator describes them, where the account may not read the dictionary. */
    schema: suppliedSchema.default({}),
    /** A text column that carries the marker of our creates on tables without correlation_id. */
    markerField: z
      .string()
      .regex(/^[a-z_][a-z0-9_]*$/, "must be a column's name")
      .default("u_isobridge_marker"),
    /** The column that `status(…)` sets, by table, where it is not the usual one. */
    statusFields: z.record(z.string(), z.string().regex(/^[a-z_][a-z0-9_]*$/, "must be a column's name")).default({}),
    /** What tells us of changes unasked: a business rule of ours that calls the node's webhook address. */
    push: z.strictObject({ type: z.literal("business-rule") }).optional(),
    /** For one call with its repetitions, in seconds. */
    deadlineSeconds: z.number().positive().default(60),
    retry: z
      .strictObject({ tries: z.int().min(1).max(10).default(3), baseMs: z.number().min(0).default(300), capMs: z.number().min(0).default(8000) })
      .prefault({}),
    /** Lets secrets and records go over plain http to another machine: only where the way there is safe by itself. */
    allowHttp: z.boolean().default(false),
  })
  .refine(({ url, allowHttp }) => allowHttp || url.startsWith("https:") || isLoopback(URL.parse(url)?.hostname ?? "localhost"), {
    path: ["url"],
    error: "must be https; http is for this machine only, unless allowHttp: true says that the way to the other one is safe",
  });

export type ServiceNowConfig = z.input<typeof servicenowConfig>;
export type ServiceNowSettings = z.output<typeof servicenowConfig>;

/** The names of the secrets that such a configuration needs. */
export function servicenowSecrets(config: Pick<ServiceNowConfig, "auth" | "push">): string[] {
  return [...signInSecrets[config.auth.type], ...(config.push === undefined ? [] : ["webhookSecret"])];
}

const signInSecrets: Readonly<Record<ServiceNowConfig["auth"]["type"], readonly string[]>> = {
  basic: ["password"],
  "oauth-password": ["clientSecret", "password"],
  "client-credentials": ["clientSecret"],
  "jwt-bearer": ["clientSecret", "privateKey"],
  "refresh-token": ["clientSecret", "refreshToken"],
  "api-key": ["apiKey"],
};
