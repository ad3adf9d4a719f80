import type { Draft } from "../store/drafts.ts";

/** The text that somebody saves or publishes was made from a state that is no longer the present one. */
export class OutOfDate extends Error {
  override readonly name = "OutOfDate";
  /** `LIBRARIES_MOVED`: what the text was checked with was published anew while it was being checked; checking again settles it. */
  readonly code: "DRAFT_CHANGED" | "DRAFT_GONE" | "DRAFT_EXISTS" | "NEWER_VERSION" | "LIBRARIES_MOVED";
  /** What is there now, so that nobody has to look for it. */
  readonly present: { readonly draft?: Draft; readonly version?: { readonly number: number; readonly source: string } };
  constructor(code: OutOfDate["code"], message: string, present: OutOfDate["present"] = {}) {
    super(message);
    this.code = code;
    this.present = present;
  }
}

const mostTries = 4;

/** Checks and publishes again when a library was published in between: nothing is wrong then, only late. */
export async function againWhenLibrariesMoved<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let tried = 1; ; tried++) {
    try {
      return await work();
    } catch (error) {
      if (tried >= mostTries || !(error instanceof OutOfDate) || error.code !== "LIBRARIES_MOVED") throw error;
    }
  }
}
