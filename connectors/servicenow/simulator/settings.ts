import { z } from "zod";
import { rateLimitSchema, semaphoresSchema } from "./limits.ts";

/** What can be switched while the instance runs. */
export const settingsSchema = z.strictObject({
  /** How many items of a batch are serviced; the rest come back unserviced. */
  batchServes: z.int().min(0).nullable().default(null),
  /** What each item of a batch takes of its 30 s [D]; what these do not suffice for comes back unserviced. No time really passes. */
  batchItemMs: z.int().min(0).default(0),
  /** `glide.invalid_query.returns_no_rows`: unknown fields in a query match nothing instead of everything [D]. */
  invalidQueryMatchesNothing: z.boolean().default(false),
  /** Lists of more rows are cut there, with 200 and an error beside the rows: the time for the transaction is over [R]. */
  cancelAfterRows: z.int().min(0).nullable().default(null),
  /** Basic authentication only for accounts with the role `snc_basic_auth_api_access` [R]. */
  basicAuthRestricted: z.boolean().default(false),
  /** `glide.oauth.inbound.client.credential.grant_type.enabled` [D]. */
  clientCredentialsEnabled: z.boolean().default(true),
  accessTokenSeconds: z.int().min(1).default(1800),
  /** A refresh gives a new refresh token and ends the old one. */
  refreshTokenRotates: z.boolean().default(false),
  /** With which status callers who are not signed in get the login page; null = 401 with the usual envelope. */
  singleSignOn: z
    .union([z.literal(200), z.literal(302)])
    .nullable()
    .default(null),
  /** Everything is answered with the page of a sleeping instance. */
  hibernating: z.boolean().default(false),
  /** 1024 MB as shipped [D]. */
  attachmentLimitBytes: z
    .int()
    .min(0)
    .default(1024 * 1024 * 1024),
  /** `glide.attachment.extensions`, lower case; null = all [D]. */
  attachmentExtensions: z.array(z.string()).nullable().default(null),
  rateLimits: z.array(rateLimitSchema).default([]),
  semaphores: semaphoresSchema.nullable().default(null),
});

export type Settings = z.infer<typeof settingsSchema>;
export type SettingsInput = z.input<typeof settingsSchema>;
