import { z } from "zod";
import { isLoopback } from "../http.ts";

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

/** The names of the secrets that this way of signing in needs. */
export function servicenowSecrets(config: Pick<ServiceNowConfig, "auth">): string[] {
  switch (config.auth.type) {
    case "basic":
      return ["password"];
    case "oauth-password":
      return ["clientSecret", "password"];
    case "client-credentials":
      return ["clientSecret"];
  }
}
