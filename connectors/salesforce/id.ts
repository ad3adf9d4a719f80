const checksumAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/**
 * The 18-character form of a Salesforce id, or undefined where the text is none. Ids come in 15 case-sensitive characters or in 18, whose
 * last three say which of the fifteen are capitals: one character for five of them, bit i set when character i is A–Z [X].
 */
export function salesforceId(text: string): string | undefined {
  if (!/^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$/.test(text)) return undefined;
  // The last three are the platform's to choose: what it gave is given back to it.
  if (text.length === 18) return text;
  return text + [0, 5, 10].map((start) => checksumAlphabet[capitalBits(text.slice(start, start + 5))]).join("");
}

function capitalBits(five: string): number {
  return [...five].reduce((bits, character, i) => (character >= "A" && character <= "Z" ? bits | (1 << i) : bits), 0);
}
