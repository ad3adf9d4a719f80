import type { Entity } from "../../connectors/connector.ts";
import { meansTheSame, memberOf } from "../rules/entity-difference.ts";
import type { SideRow } from "../store/configuration.ts";
import type { Db } from "../store/database.ts";
import { createsUnderWay, isOurs } from "../store/messages.ts";

/** What all of our markers begin with. */
export const markerPrefix = "ib-";

/**
 * Who made a record that a trigger found and that has no twin yet. One that we made ourselves has its twin already, or will
 * have it as soon as the create's outcome is recorded: it is known by the marker in one of its fields, and where the platform
 * has no room for markers, by being just like a record whose create is under way. Then only the outcome can tell.
 */
export async function makerOf(db: Db, side: SideRow, entity: Entity): Promise<"us" | "perhaps us" | "somebody"> {
  const texts = [entity.marker, ...Object.values(entity.fields)].filter(
    (value): value is string => typeof value === "string" && value.startsWith(markerPrefix),
  );
  if (await isOurs(db, side.id, entity.ref.id, texts)) return "us";
  const underWay = await createsUnderWay(db, side.id, entity.ref.type);
  return underWay.some((fields) =>
    Object.entries(fields).every(([name, value]) => meansTheSame(memberOf(entity.fields, name) ?? null, value, memberOf(entity.display, name))),
  )
    ? "perhaps us"
    : "somebody";
}
