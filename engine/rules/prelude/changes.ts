interface ListChanges {
  readonly added: readonly unknown[];
  readonly edited: readonly unknown[];
  readonly removed: readonly unknown[];
}

export interface Changes {
  has(path: string): boolean;
  readonly comments: ListChanges;
  readonly attachments: ListChanges;
}

/** What differs between two replicas. Worked out when it is asked for: most rules never ask. */
export function changesBetween(previous: unknown, replica: unknown): Changes {
  return {
    has(path) {
      const steps = String(path).split(".");
      return !same(at(previous, steps), at(replica, steps));
    },
    get comments() {
      return listChanges(listOf(previous, "comments"), listOf(replica, "comments"), (before, after) => before.body === after.body);
    },
    get attachments() {
      return listChanges(listOf(previous, "attachments"), listOf(replica, "attachments"), sameFile);
    },
  };
}

export type Item = Readonly<Record<string, unknown>> & { readonly id: string };

/** The members of a list of a replica that have an id: the others can be neither recognised nor traced. */
export function listOf(replica: unknown, name: string): readonly Item[] {
  if (typeof replica !== "object" || replica === null) return [];
  const list = (replica as Record<string, unknown>)[name];
  if (!Array.isArray(list)) return [];
  return list.flatMap((each: unknown): Item[] => {
    if (typeof each !== "object" || each === null) return [];
    const { id } = each as { id?: unknown };
    if (typeof id === "number") return [{ ...each, id: String(id) }];
    // The id was just seen to be text.
    return typeof id === "string" && id !== "" ? [each as Item] : [];
  });
}

function listChanges(before: readonly Item[], after: readonly Item[], isSame: (before: Item, after: Item) => boolean): ListChanges {
  const earlier = new Map(before.map((item) => [item.id, item]));
  const later = new Set(after.map((item) => item.id));
  return {
    added: after.filter((item) => !earlier.has(item.id)),
    edited: after.filter((item) => {
      const old = earlier.get(item.id);
      return old !== undefined && !isSame(old, item);
    }),
    removed: before.filter((item) => !later.has(item.id)),
  };
}

function sameFile(before: Item, after: Item): boolean {
  return before.filename === after.filename && before.filesize === after.filesize && before.hash === after.hash;
}

function at(value: unknown, steps: readonly string[]): unknown {
  let here = value;
  for (const step of steps) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, step)) return undefined;
    here = (here as Record<string, unknown>)[step];
  }
  return here;
}

/** Equal as JSON: the order of members does not count; nothing, null and a missing member are alike. */
function same(one: unknown, other: unknown): boolean {
  if (one === other || (one ?? null) === (other ?? null)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  for (const name of names) {
    if (!same((one as Record<string, unknown>)[name], (other as Record<string, unknown>)[name])) return false;
  }
  return !Array.isArray(one) || one.length === (other as unknown as readonly unknown[]).length;
}
