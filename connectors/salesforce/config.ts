import { z } from "zod";

const auth = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("jwt-bearer"),
    /** The consumer key of the connected app that holds our certificate. */
    clientId: z.string().min(1),
    username: z.string().min(1),
    /** Whom the assertion is for; the address signed in to, unless said. */
    audience: z.string().optional(),
  }),
  z.strictObject({ type: z.literal("client-credentials"), clientId: z.string().min(1) }),
  z.strictObject({
    type: z.literal("password"),
    username: z.string().min(1),
    /** With a connected app the OAuth password grant is used, without one SOAP login, which Salesforce retires in Summer '27 [S]. */
    clientId: z.string().min(1).optional(),
  }),
]);

/** An org as it stands in the configuration file; secrets come separately. */
export const salesforceConfig = z
  .strictObject({
    /** The My Domain address, or login.salesforce.com, or test.salesforce.com. */
    url: z
      .url({ protocol: /^https?$/, abort: true })
      .refine((url) => !/\.lightning\.force\.com$/.test(new URL(url).hostname), {
        error: "must be the My Domain address (…my.salesforce.com), not the Lightning address",
      })
      .transform((url) => new URL(url).origin),
    apiVersion: z
      .string()
      .regex(/^\d{2,3}\.0$/, { error: 'must look like "60.0"' })
      .default("60.0"),
    auth,
    /** The unique external id field that recognises our own creates. */
    markerField: z
      .string()
      .regex(/^[A-Za-z]\w*$/)
      .default("Isobridge_Marker__c"),
    /** Where the comments of a case are: case comments, or the Chatter feed. Other objects always use the feed. */
    comments: z.enum(["CaseComment", "Chatter"]).default("CaseComment"),
    /** How far back each poll looks again for rows that were stamped before but committed later. */
    overlapSeconds: z.int().min(0).max(3600).default(10),
    /** Lets secrets and records go over plain http to another machine: only where the way there is safe by itself. */
    allowHttp: z.boolean().default(false),
  })
  .refine(({ url, allowHttp }) => allowHttp || isSafe(url), {
    path: ["url"],
    error: "must be https; http is for this machine only, unless allowHttp: true says that the way to the other one is safe",
  });
export type SalesforceConfig = z.infer<typeof salesforceConfig>;

/** The names of the secrets that a way of signing in needs. */
export function salesforceSecrets({ auth }: SalesforceConfig): string[] {
  switch (auth.type) {
    case "jwt-bearer":
      return ["privateKey"];
    case "client-credentials":
      return ["clientSecret"];
    case "password":
      return auth.clientId === undefined ? ["password"] : ["password", "clientSecret"];
  }
}

function isSafe(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" || hostname === "localhost" || hostname === "[::1]" || /^127\./.test(hostname);
}
