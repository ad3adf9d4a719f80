import type { Instance } from "./instance.ts";
import type { Row } from "./store.ts";

/** What every instance works out by itself when a record is saved: mirrored state, priority look-up, closing stamps [R, K]. */
export function derive(
  instance: Instance,
  userId: string,
  table: string,
  draft: Record<string, string>,
  before: Row,
  input: Readonly<Record<string, unknown>>,
): void {
  const classes = instance.schema.ancestry(table);
  if (classes.includes("incident")) {
    // The two states mirror each other; `state` wins where both are given.
    if (draft.state === before.state && draft.incident_state !== before.incident_state && !("state" in input)) draft.state = draft.incident_state ?? "";
    draft.incident_state = draft.state ?? "";
    const { state = "" } = draft;
    if (state !== before.state) {
      draft.active = String(state !== "7" && state !== "8");
      if (state === "6") Object.assign(draft, { resolved_at: instance.stamp(), resolved_by: userId });
      if (state === "7") Object.assign(draft, { closed_at: instance.stamp(), closed_by: userId });
    }
  }
  if (classes.includes("incident") || classes.includes("problem")) draft.priority = priorityOf(draft.impact, draft.urgency) ?? draft.priority ?? "";
  if (classes.includes("sys_user")) draft.name = `${draft.first_name ?? ""} ${draft.last_name ?? ""}`.trim();
}

/** The shipped look-up: 1 and 1 give 1, 3 and 3 give 5. */
function priorityOf(impact: string | undefined, urgency: string | undefined): string | undefined {
  const sum = Number(impact) + Number(urgency);
  return Number.isInteger(sum) && sum >= 2 && sum <= 6 ? String(sum - 1) : undefined;
}
