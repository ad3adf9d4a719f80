import { stampOf } from "./stamps.ts";

const dayMs = 86_400_000;

/** Works out `javascript:gs.…` values from a white list [D]; anything else scripted is empty, and so matches nothing. */
export function scriptedValue(value: string, context: { readonly now: Date; readonly userId: string; readonly userName: string }): string {
  if (!value.startsWith("javascript:")) return value;
  const call = /^javascript:\s*gs\.(\w+)\(([^)]*)\);?$/.exec(value);
  if (call === null) return "";
  const [, name = "", rawArguments = ""] = call;
  const given = rawArguments.split(",").map((argument) => argument.trim().replace(/^['"]|['"]$/g, ""));
  const { now } = context;
  const ago = (unitMs: number) => stampOf(new Date(now.getTime() - Number(given[0] ?? 0) * unitMs));
  const midnight = (days: number) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + days));
  const firstOfMonth = (months: number) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months, 1));
  const secondBefore = (date: Date) => stampOf(new Date(date.getTime() - 1000));
  switch (name) {
    case "getUserID":
      return context.userId;
    case "getUserName":
      return context.userName;
    case "now":
    case "nowDateTime":
      return stampOf(now);
    case "minutesAgo":
      return ago(60_000);
    case "hoursAgo":
      return ago(3_600_000);
    case "daysAgo":
      return ago(dayMs);
    case "daysAgoStart":
      return stampOf(midnight(-Number(given[0] ?? 0)));
    case "daysAgoEnd":
      return secondBefore(midnight(1 - Number(given[0] ?? 0)));
    case "beginningOfToday":
      return stampOf(midnight(0));
    case "endOfToday":
      return secondBefore(midnight(1));
    case "beginningOfYesterday":
      return stampOf(midnight(-1));
    case "endOfYesterday":
      return secondBefore(midnight(0));
    case "beginningOfThisMonth":
      return stampOf(firstOfMonth(0));
    case "endOfThisMonth":
      return secondBefore(firstOfMonth(1));
    case "beginningOfLastMonth":
      return stampOf(firstOfMonth(-1));
    case "endOfLastMonth":
      return secondBefore(firstOfMonth(0));
    case "dateGenerate":
      return `${given[0] ?? ""} ${given[1] ?? "00:00:00"}`;
    default:
      return "";
  }
}
