/** How many values learnt later (session tokens) are kept in mind. */
const mostTokens = 50;

/** Takes secrets out of texts by their value, in the encodings in which HTTP carries them. */
export class Redactor {
  readonly #fixed: string[];
  readonly #learnt: string[] = [];

  constructor(secrets: readonly string[]) {
    this.#fixed = longestFirst(secrets.flatMap(spellings));
  }

  hide(secret: string): void {
    const added = spellings(secret).filter((spelling) => !this.#learnt.includes(spelling));
    this.#learnt.push(...added);
    if (this.#learnt.length > mostTokens) this.#learnt.splice(0, this.#learnt.length - mostTokens);
  }

  redact(text: string): string {
    let clean = text;
    for (const secret of [...this.#fixed, ...this.#learnt]) clean = clean.replaceAll(secret, "[hidden]");
    return clean;
  }
}

function spellings(secret: string): string[] {
  if (secret === "") return [];
  const form = new URLSearchParams({ s: secret }).toString().slice(2);
  const json = JSON.stringify(secret).slice(1, -1);
  return [...new Set([secret, encodeURIComponent(secret), form, json, Buffer.from(secret).toString("base64")])];
}

/** A secret may contain another one: the longer must go first. */
function longestFirst(values: readonly string[]): string[] {
  return values.toSorted((a, b) => b.length - a.length);
}
