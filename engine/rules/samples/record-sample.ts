import type { RecordedRun } from "./run-sample.ts";
import { type Sample, shortEntity } from "./sample.ts";

/** A sample of a recorded run, with the answers that it got and, as expected result, what it came to. */
export function sampleOfRun(run: RecordedRun, note?: string): Sample {
  const { input, calls, outcome } = run;
  const shared = {
    ...(note === undefined ? {} : { note }),
    firstSync: input.firstSync,
    ...(input.previous === null ? {} : { previous: input.previous }),
    connection: input.connection,
    ...(Object.keys(input.mappings).length === 0 ? {} : { mappings: input.mappings }),
    now: new Date(input.now).toISOString(),
    seed: input.seed,
    ...(calls.length === 0 ? {} : { answers: calls }),
    expected: outcome,
  };
  const { previous } = shared;
  // A previous replica is what a rule made or the other side sent: always an object.
  const rest = { ...shared, ...(previous === undefined ? {} : { previous: previous as NonNullable<Sample["previous"]> }) };
  if (input.direction === "outgoing") return { direction: "outgoing", ...rest, entity: shortEntity(input.entity) } as Sample;
  const { comments, attachments } = input.traces;
  return {
    direction: "incoming",
    ...rest,
    replica: input.replica,
    ...(input.entity.entityType === "" ? {} : { entity: shortEntity(input.entity) }),
    ...(Object.keys(comments).length + Object.keys(attachments).length === 0 ? {} : { traces: { comments, attachments } }),
  } as Sample;
}
