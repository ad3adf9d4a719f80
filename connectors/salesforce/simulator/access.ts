import { ApiError } from "./api-error.ts";
import type { Org, Row } from "./org.ts";
import type { OrgObject } from "./schema.ts";

/** What users of a profile may not do with one object: all that is not said here they may. */
export interface Restriction {
  readonly object: string;
  /** A profile's name; absent = everybody who works through the API. */
  readonly profile?: string;
  /** Fields that are not there at all for them: not in describes, queries, reads, events, and unknown in writes [K]. */
  readonly hiddenFields?: readonly string[];
  /** Fields that they may read only. */
  readonly readOnlyFields?: readonly string[];
  /** What they may not do: `read` hides the object altogether. */
  readonly denied?: readonly ("read" | "create" | "update" | "delete")[];
  /** Row-level security: they see, or may write, only records that they or one of their groups own. */
  readonly rows?: "own" | "readAllWriteOwn";
}

/** Field-, object- and row-level security by profile. */
export class Access {
  #restrictions: readonly Restriction[] = [];
  readonly #org: Org;
  readonly #views = new Map<string, { readonly revision: number; readonly view: OrgObject }>();

  constructor(org: Org) {
    this.#org = org;
  }

  set restrictions(restrictions: readonly Restriction[]) {
    this.#restrictions = restrictions;
    this.#views.clear();
  }

  get restrictions(): readonly Restriction[] {
    return this.#restrictions;
  }

  hiddenFields(object: string, caller: string): ReadonlySet<string> {
    return new Set(this.#of(object, caller).flatMap(({ hiddenFields = [] }) => hiddenFields));
  }

  /** An object as the caller sees it, or undefined where it is hidden. */
  view(object: OrgObject, caller: string): OrgObject | undefined {
    const restrictions = this.#of(object.name, caller);
    if (restrictions.length === 0) return object;
    if (restrictions.some(({ denied }) => denied?.includes("read"))) return undefined;
    const key = `${this.#profileOf(caller)}/${object.name}`;
    const { revision } = this.#org.schema;
    const known = this.#views.get(key);
    if (known?.revision === revision) return known.view;
    const hidden = this.hiddenFields(object.name, caller);
    const readOnly = new Set(restrictions.flatMap(({ readOnlyFields = [] }) => readOnlyFields));
    const fields = new Map(
      [...object.fields]
        .filter(([, { name }]) => !hidden.has(name))
        .map(([key, field]) => [key, readOnly.has(field.name) ? { ...field, createable: false, updateable: false } : field]),
    );
    const may = (right: "create" | "update" | "delete", given: boolean | undefined) =>
      given !== false && !restrictions.some(({ denied }) => denied?.includes(right));
    const definition = {
      ...object.definition,
      createable: may("create", object.definition.createable),
      updateable: may("update", object.definition.updateable),
      deletable: may("delete", object.definition.deletable),
    };
    const view = { definition, name: object.name, fields };
    this.#views.set(key, { revision, view });
    return view;
  }

  /** Throws where the caller's profile may not do this with the object. */
  assertMay(right: "create" | "update" | "delete", object: string, caller: string): void {
    if (this.#of(object, caller).some(({ denied }) => denied?.includes(right)))
      throw new ApiError(403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id");
  }

  sees(object: string, row: Row, caller: string): boolean {
    return !this.#of(object, caller).some(({ rows }) => rows === "own" && !this.#owns(row, caller));
  }

  mayWrite(object: string, row: Row, caller: string): boolean {
    return !this.#of(object, caller).some(({ rows }) => rows !== undefined && !this.#owns(row, caller));
  }

  #owns(row: Row, caller: string): boolean {
    if (row.OwnerId === caller || row.CreatedById === caller) return true;
    return (
      typeof row.OwnerId === "string" &&
      this.#org.rowsWith("GroupMember", "GroupId", row.OwnerId).some(({ UserOrGroupId, IsDeleted }) => UserOrGroupId === caller && IsDeleted === false)
    );
  }

  #of(object: string, caller: string): Restriction[] {
    if (this.#restrictions.length === 0) return [];
    const profile = this.#profileOf(caller);
    return this.#restrictions.filter((restriction) => restriction.object === object && (restriction.profile === undefined || restriction.profile === profile));
  }

  /** The name of a user's profile. */
  #profileOf(caller: string): string | undefined {
    const profileId = this.#org.tables.get("User", caller)?.ProfileId;
    const name = typeof profileId === "string" ? this.#org.tables.get("Profile", profileId)?.Name : undefined;
    return typeof name === "string" ? name : undefined;
  }
}
