/** A sys_id: 32 hexadecimal digits. */
export function isSysId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}

/** Ids for one `IN`: 200 fit into an address, 250 do not [R]; half of that leaves room for the rest of the query. */
export const idsPerCall = 100;

export function inChunks<Item>(items: readonly Item[], size = idsPerCall): Item[][] {
  const chunks: Item[][] = [];
  for (let start = 0; start < items.length; start += size) chunks.push(items.slice(start, start + size));
  return chunks;
}
