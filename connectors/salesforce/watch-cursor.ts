import { z } from "zod";
import { ConnectorError } from "../errors.ts";
import { instant } from "./soql.ts";

const position = z.object({ stamp: z.string(), id: z.string() });
const cursorSchema = z.object({
  version: z.literal(1),
  /** No row stamped before this can be new any more. */
  floor: z.string(),
  /** Where each stream goes on inside the window; absent = at the floor. */
  at: z.record(z.string(), position),
  /** Since when the window was begun: becomes the next floor once its end is reached. */
  begun: z.string().optional(),
  /** What was reported of the rows that the window may give again: record, fingerprint, stamp. */
  reported: z.array(z.tuple([z.string(), z.string(), z.string()])),
  /** The platform's list of deleted records: up to where it was complete, when it was last asked, which of it were reported since. */
  deletions: z.object({ covered: z.string(), asked: z.string(), told: z.array(z.string()) }).optional(),
});

/** Where a poll goes on. Its form may gain optional parts; a cursor that an earlier version left is read as before. */
export type Cursor = z.infer<typeof cursorSchema>;

export function firstCursor(since: string): Cursor {
  return { version: 1, floor: instant(since), at: {}, reported: [] };
}

/** Throws CURSOR_LOST for what is no cursor of ours. */
export function parsedCursor(text: string): Cursor {
  try {
    return cursorSchema.parse(JSON.parse(text));
  } catch {
    throw new ConnectorError("CURSOR_LOST", { message: "The position of this trigger cannot be read; it has to start again." });
  }
}

/** The window has more behind what was taken: each stream goes on after its last row. */
export function openWindow(cursor: Cursor, begun: string, lasts: ReadonlyMap<string, { readonly stamp: string; readonly id: string }>): Cursor {
  return { ...cursor, at: { ...cursor.at, ...Object.fromEntries(lasts) }, begun };
}

/** The end was reached: all that was committed when the window was begun has been seen, so only the overlap before that is looked at again. */
export function closedWindow({ begun: _, ...cursor }: Cursor, begun: string, overlapSeconds: number): Cursor {
  const floor = Math.max(Date.parse(begun) - overlapSeconds * 1000, Date.parse(cursor.floor));
  return { ...cursor, floor: instant(new Date(floor).toISOString()), at: {} };
}
