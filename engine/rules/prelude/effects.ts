interface Ref {
  readonly type: string;
  readonly id: string;
}

/** What a rule asks for beside its result. */
export class Effects {
  #linkTo: Ref | undefined;
  readonly #startSync: Ref[] = [];
  #syncBack = false;
  #unlink = false;

  linkTo(record: unknown): void {
    this.#linkTo = refOf(record, "linkTo");
  }

  startSync(record: unknown): void {
    if (this.#startSync.length >= mostStarts) throw new RangeError(`startSync was called more than ${mostStarts} times in one run, which is the limit`);
    this.#startSync.push(refOf(record, "startSync"));
  }

  syncBack(): void {
    this.#syncBack = true;
  }

  unlink(): void {
    this.#unlink = true;
  }

  result(): unknown {
    return { linkTo: this.#linkTo, startSync: this.#startSync, syncBack: this.#syncBack, unlink: this.#unlink };
  }
}

const mostStarts = 1_000;

/** Takes `{type, id}`, a reference field's value, or a record that `lookup` answered. */
export function refOf(target: unknown, caller: string): Ref {
  if (typeof target === "object" && target !== null) {
    if ("entityRef" in target && target.entityRef !== null) return refOf(target.entityRef, caller);
    const { type, id } = target as { type?: unknown; id?: unknown };
    if (typeof type === "string" && type !== "" && typeof id === "string" && id !== "") return { type, id };
  }
  throw new TypeError(`${caller} needs a record: what lookup answered, the value of a reference field, or {type, id}`);
}
