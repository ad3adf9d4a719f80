/** The span of days that a date literal names, from its first day up to but not including `end`; UTC stands for the user's zone. */
export function dateSpan(literal: string, now: Date): { readonly start: Date; readonly end: Date } | undefined {
  const [name = "", count] = literal.split(":");
  const today = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate());
  const n = Number(count);
  const days = (from: number, to: number) => ({ start: new Date(today + from * day), end: new Date(today + to * day) });
  const months = (from: number, to: number) => ({ start: monthStart(now, from), end: monthStart(now, to) });
  const years = (from: number, to: number) => ({ start: yearStart(now, from), end: yearStart(now, to) });
  const weekday = now.getUTCDay();
  switch (name) {
    case "TODAY":
      return days(0, 1);
    case "YESTERDAY":
      return days(-1, 0);
    case "TOMORROW":
      return days(1, 2);
    case "LAST_WEEK":
      return days(-weekday - 7, -weekday);
    case "THIS_WEEK":
      return days(-weekday, 7 - weekday);
    case "NEXT_WEEK":
      return days(7 - weekday, 14 - weekday);
    case "LAST_MONTH":
      return months(-1, 0);
    case "THIS_MONTH":
      return months(0, 1);
    case "NEXT_MONTH":
      return months(1, 2);
    case "LAST_YEAR":
      return years(-1, 0);
    case "THIS_YEAR":
      return years(0, 1);
    case "NEXT_YEAR":
      return years(1, 2);
    case "LAST_90_DAYS":
      return days(-90, 1);
    case "NEXT_90_DAYS":
      return days(1, 91);
  }
  if (!Number.isInteger(n)) return undefined;
  switch (name) {
    case "LAST_N_DAYS":
      return days(-n, 1);
    case "NEXT_N_DAYS":
      return days(1, n + 1);
    case "N_DAYS_AGO":
      return days(-n, 1 - n);
    case "LAST_N_WEEKS":
      return days(-weekday - 7 * n, -weekday);
    case "LAST_N_MONTHS":
      return months(-n, 0);
    case "NEXT_N_MONTHS":
      return months(1, n + 1);
    case "LAST_N_YEARS":
      return years(-n, 0);
    default:
      return undefined;
  }
}

const day = 86_400_000;

function monthStart(now: Date, shift: number): Date {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + shift, 1));
}

function yearStart(now: Date, shift: number): Date {
  return new Date(Date.UTC(now.getUTCFullYear() + shift, 0, 1));
}
