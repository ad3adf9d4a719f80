import { z } from "zod";
import { salesforceId } from "./id.ts";

/** The platform's own events, which hasten polls; polls go on beside them. */
const push = z.discriminatedUnion("type", [
  z.strictObject({
    /** Change Data Capture: an administrator selects the objects. */
    type: z.literal("cdc"),
    /** A channel of one's own (`/data/Sync__chn`), or all selected objects (`/data/ChangeEvents`); the channels of the watched objects, unless said. */
    channel: z
      .string()
      .regex(/^\/data\/\w+$/, { error: "must look like /data/ChangeEvents" })
      .optional(),
  }),
  z.strictObject({ type: z.literal("platform-event"), channel: z.string().regex(/^\/event\/\w+$/, { error: "must look like /event/Record_Changed__e" }) }),
  z.strictObject({
    /** SOAP calls of a workflow or flow to this node's address. They are not signed: the id of the org is what they are known by. */
    type: z.literal("outbound-message"),
    organizationId: z
      .string()
      .regex(/^00D/, { error: "must be the id of the org, which begins with 00D" })
      .refine((id) => salesforceId(id) !== undefined, { error: "must be an id of 15 or 18 characters" })
      .transform((id) => salesforceId(id) ?? id),
  }),
]);

const auth = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("jwt-bearer"),
    /** The consumer key of the connected app that holds our certificate. */
    clientId: z.string().min(1),
    username: z.string().min(1),
    /** Whom the assertion is for; the address signed in to, unless said. */
    audience: z.string().optional(),
  }),
  z.strictObject({
    type: z.literal("web-server"),
    /** The consumer key of the app that somebody signs in to once, in the browser; from then on its refresh token is used. */
    clientId: z.string().min(1),
    /** True where the app asks for its secret beside the proof of the browser flow. */
    confidential: z.boolean().optional(),
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
    push: push.optional(),
    /** Whether the org's assignment rules choose the owner of what is created, as they do for its own users [D]. */
    assignmentRules: z.boolean().default(true),
    /** The unique external id field that recognises our own creates. */
    markerField: z
      .string()
      .regex(/^[A-Za-z]\w*$/)
      .default("Isobridge_Marker__c"),
    /** Where the comments of a case are: case comments, or the Chatter feed. Other objects always use the feed. */
    comments: z.enum(["CaseComment", "Chatter"]).default("CaseComment"),
    /** Whether the e-mails of a case are read along with its comments, and as which. They are never written. */
    emails: z.enum(["internal", "public", "ignored"]).default("internal"),
    /** How far back each poll looks again for rows that were stamped before but committed later. */
    overlapSeconds: z.int().min(0).max(3600).default(10),
    /** So many of the org's daily calls are kept back for writing: polls pause before they are used. A twentieth of the org's limit, unless said. */
    reserveCalls: z.int().min(0).optional(),
    /** Lets secrets and records go over plain http to another machine: only where the way there is safe by itself. */
    allowHttp: z.boolean().default(false),
  })
  .refine(({ url, allowHttp }) => allowHttp || isSafe(url), {
    path: ["url"],
    error: "must be https; http is for this machine only, unless allowHttp: true says that the way to the other one is safe",
  });
export type SalesforceConfig = z.infer<typeof salesforceConfig>;

/** The names of the secrets that a way of signing in needs. That of the web-server flow is made by a sign-in in the browser. */
export function salesforceSecrets({ auth }: SalesforceConfig): string[] {
  switch (auth.type) {
    case "web-server":
      return auth.confidential === true ? ["refreshToken", "clientSecret"] : ["refreshToken"];
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
