interface Ref {
  readonly type: string;
  readonly id: string;
}

/** What a rule asks for beside its result. */
export function effectsOf(): { readonly names: Record<string, unknown>; result(): unknown } {
  let link: Ref | undefined;
  const started: Ref[] = [];
  let back = false;
  let ended = false;
  return {
    names: {
      linkTo(target: unknown): void {
        link = refOf(target, "linkTo");
      },
      startSync(target: unknown): void {
        if (started.length >= 1_000) throw new RangeError("startSync was called more than 1000 times in one run, which is the limit");
        started.push(refOf(target, "startSync"));
      },
      syncBack(): void {
        back = true;
      },
      unlink(): void {
        ended = true;
      },
    },
    result: () => ({ linkTo: link, startSync: started, syncBack: back, unlink: ended }),
  };
}

/** Takes `{type, id}`, a reference field's value, or a record that `lookup` answered. */
export function refOf(target: unknown, caller: string): Ref {
  if (typeof target === "object" && target !== null) {
    if ("entityRef" in target && target.entityRef !== null) return refOf(target.entityRef, caller);
    const { type, id } = target as { type?: unknown; id?: unknown };
    if (typeof type === "string" && type !== "" && typeof id === "string" && id !== "") return { type, id };
  }
  throw new TypeError(`${caller} needs a record: what lookup answered, the value of a reference field, or {type, id}`);
}
