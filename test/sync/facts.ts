import { expect } from "vitest";
import type { Row } from "../../engine/demo/people.ts";
import type { TwinId } from "../../engine/store/schema.ts";
import type { SyncWorld } from "./harness.ts";

/** The twin of a record, whichever side it is on. */
export async function twinOf(world: SyncWorld, entityId: string): Promise<TwinId | undefined> {
  const row = await world.db.selectFrom("twin_side").select("twin_id").where("entity_id", "=", entityId).executeTakeFirst();
  return row?.twin_id;
}

/** The case of an incident, once there is one. */
export async function caseOf(world: SyncWorld, incidentId: string): Promise<string> {
  return await world.until(`the incident ${incidentId} has a case`, async () => await otherEnd(world, incidentId));
}

/** The incident of a case. */
export async function incidentOf(world: SyncWorld, caseId: string): Promise<Row> {
  return await world.desk.incident(await world.until(`the case ${caseId} has an incident`, async () => await otherEnd(world, caseId)));
}

async function otherEnd(world: SyncWorld, entityId: string): Promise<string | undefined> {
  const row = await world.db
    .selectFrom("twin_side as here")
    .innerJoin("twin_side as there", (join) => join.onRef("there.twin_id", "=", "here.twin_id").onRef("there.side_id", "<>", "here.side_id"))
    .select("there.entity_id")
    .where("here.entity_id", "=", entityId)
    .where("there.received_sequence", ">", 0)
    .executeTakeFirst();
  return row?.entity_id ?? undefined;
}

export interface SentMessage {
  readonly from: string;
  readonly kind: string;
  readonly sequence: number;
  readonly state: string;
  readonly body: unknown;
}

/** All messages of a record's twin in the order in which they were made. */
export async function messagesOf(world: SyncWorld, entityId: string): Promise<SentMessage[]> {
  const twinId = await twinOf(world, entityId);
  if (twinId === undefined) return [];
  return await world.db
    .selectFrom("message")
    .innerJoin("side", "side.id", "message.from_side_id")
    .select(["side.name as from", "message.kind", "message.sequence", "message.state", "message.body"])
    .where("message.twin_id", "=", twinId)
    .orderBy("message.id")
    .execute();
}

/** No save of either record while everything is looked at once more. */
export async function comesToRest(world: SyncWorld, incidentId: string, caseId: string): Promise<void> {
  await world.settled();
  const state = async (): Promise<unknown> => {
    const incident = await world.desk.incident(incidentId);
    return [
      incident["sys_mod_count"],
      incident["sys_updated_on"],
      (await world.sales.case(caseId))["SystemModstamp"],
      await world.sales.comments(caseId),
      (await world.desk.journal(incidentId)).length,
    ];
  };
  const before = await state();
  const messages = (await messagesOf(world, incidentId)).length;
  await world.settled();
  expect(await state()).toEqual(before);
  expect(await messagesOf(world, incidentId)).toHaveLength(messages);
}

/** Open failures, oldest first. */
export async function openFailures(
  world: SyncWorld,
): Promise<{ id: number; laneKey: string; code: string; fault: string; message: string; detail: Record<string, unknown> }[]> {
  return await world.db
    .selectFrom("failure")
    .select(["id", "lane_key as laneKey", "code", "fault", "message", "detail"])
    .where("resolved_at", "is", null)
    .orderBy("id")
    .execute();
}
