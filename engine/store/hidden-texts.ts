import { inspect } from "node:util";

/** Texts that must not be seen, kept so that they can be looked for: whatever prints or stores the holder leaves them out. */
export class HiddenTexts {
  readonly #texts: readonly string[];
  constructor(texts: readonly string[]) {
    this.#texts = texts;
  }
  reveal(): readonly string[] {
    return this.#texts;
  }
  toString(): string {
    return "[hidden]";
  }
  toJSON(): undefined {
    return undefined;
  }
  [inspect.custom](): string {
    return "[hidden]";
  }
}
