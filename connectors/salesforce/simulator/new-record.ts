import { assertValid, inputValues } from "./checks.ts";
import type { EventBus } from "./event-bus.ts";
import type { Input, Org } from "./org.ts";
import { publishPlatformEvent } from "./topics.ts";
import { instantText } from "./values.ts";

export interface SaveResult {
  readonly id: string;
  readonly success: true;
  readonly errors: readonly { readonly statusCode: string; readonly message: string; readonly fields: readonly string[] }[];
}

/**
 * Creates a record, or publishes a platform event, which is no record: nothing can be read back, and the answer says with an "error" by the
 * name of OPERATION_ENQUEUED that it is under way [D]. An event is published whatever becomes of the rest of its request.
 */
export function createRecord(org: Org, events: EventBus, type: string, input: Input, caller: string): SaveResult {
  const object = org.object(type);
  if (!object.name.endsWith("__e")) return { id: org.create(object.name, input, caller).Id, success: true, errors: [] };
  const { fields } = inputValues(org.bytes, object, input, "createable");
  assertValid(org, object, { Id: "", ...fields }, Object.keys(fields), new Map());
  const ticket = publishPlatformEvent(events, object.name, fields, { date: instantText(org.clock.now()).replace("+0000", "Z"), by: caller });
  return { id: org.nextId(object.name), success: true, errors: [{ statusCode: "OPERATION_ENQUEUED", message: ticket, fields: [] }] };
}
