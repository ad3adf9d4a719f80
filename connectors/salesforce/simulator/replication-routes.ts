import { Hono } from "hono";
import { ApiError } from "./api-error.ts";
import type { ApiApp, ApiEnv, SimulatorContext } from "./context.ts";
import type { Org } from "./org.ts";
import { instantText } from "./values.ts";

const maxReachMs = 30 * 86_400_000;
const minuteMs = 60_000;

interface Span {
  readonly type: string;
  readonly start: Date;
  readonly end: Date;
  /** Until when the list is complete: not further than transactions under way let it be [D]. */
  readonly covered: Date;
}

/**
 * `/sobjects/{T}/deleted` and `/updated`: ids in a span of time, whose seconds are ignored [D]. `latestDateCovered` is where the next span has
 * to begin, and may lag behind the end asked for.
 */
export function replicationRoutes({ org }: SimulatorContext): ApiApp {
  const app = new Hono<ApiEnv>();

  app.get("/sobjects/:type/deleted", (c) => {
    const { type, start, covered } = spanOf(org, c.req.param("type"), c.req.query());
    const earliest = org.deletions.earliest();
    if (start < earliest) throw invalid(`startDate can not be before ${instantText(earliest)}, the earliest date available`);
    const deletions = org.deletions.between(type, start, covered);
    assertNotTooMany(org, deletions.length);
    return c.json({
      deletedRecords: deletions.map(({ id, at }) => ({ deletedDate: instantText(at), id })),
      earliestDateAvailable: instantText(earliest),
      latestDateCovered: instantText(covered),
    });
  });

  app.get("/sobjects/:type/updated", (c) => {
    const { type, start, covered } = spanOf(org, c.req.param("type"), c.req.query());
    const ids: string[] = [];
    const from = instantText(start);
    const to = instantText(covered);
    for (const id of org.index(type).idsFrom(from, (id) => org.tables.get(type, id)?.SystemModstamp)) {
      const row = org.row(type, id);
      if (String(row?.SystemModstamp) > to) break;
      if (row?.IsDeleted === false) ids.push(id);
    }
    assertNotTooMany(org, ids.length);
    return c.json({ ids, latestDateCovered: to });
  });

  return app;
}

function spanOf(org: Org, name: string, query: Record<string, string>): Span {
  const type = org.object(name).name;
  const [start, end] = [wholeMinute(query.start), wholeMinute(query.end)];
  if (start === undefined || end === undefined) throw invalid("startDate and endDate must be given as ISO 8601 instants");
  if (start >= end) throw invalid("startDate must be at least one minute before endDate");
  const now = org.clock.now().getTime();
  if (now - start.getTime() > maxReachMs) throw invalid("startDate can not be more than 30 days ago");
  const lag = org.rules.replicationLagMs;
  const covered = lag === 0 ? end : new Date(Math.max(start.getTime(), Math.min(end.getTime(), now - lag)));
  return { type, start, end, covered };
}

function wholeMinute(text: string | undefined): Date | undefined {
  // A `+` that was not encoded arrives as a blank.
  const time = Date.parse((text ?? "").replace(/ (\d{2}:?\d{2})$/, "+$1"));
  return Number.isNaN(time) ? undefined : new Date(Math.floor(time / minuteMs) * minuteMs);
}

function assertNotTooMany(org: Org, count: number): void {
  const limit = org.rules.replicationIdLimit;
  if (count > limit) throw new ApiError(400, "EXCEEDED_ID_LIMIT", `the span of time has more than ${limit} ids; ask for a shorter one`);
}

function invalid(message: string): ApiError {
  return new ApiError(400, "INVALID_REPLICATION_DATE", message);
}
