/** `YYYY-MM-DD HH:MM:SS` in UTC, cut to the second: what the database holds and `value` shows [R]. */
export function stampOf(date: Date): string {
  return date.toISOString().slice(0, 19).replace("T", " ");
}

function dateOfStamp(stamp: string): Date {
  return new Date(`${stamp.replace(" ", "T")}Z`);
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** The same instant as people of a time zone see it: what `display_value` shows, and why it must never be parsed [R]. */
export function displayStamp(stamp: string, timeZone: string): string {
  const date = dateOfStamp(stamp);
  if (Number.isNaN(date.getTime())) return stamp;
  let format = formats.get(timeZone);
  if (format === undefined) {
    const digits = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
    format = new Intl.DateTimeFormat("sv-SE", { timeZone, hourCycle: "h23", ...digits });
    formats.set(timeZone, format);
  }
  return format.format(date);
}

/** Durations are offsets from the epoch: `1970-01-01 00:02:17` is shown as `2 Minutes 17 Seconds` [D]. */
export function displayDuration(stamp: string): string {
  const seconds = Math.floor(dateOfStamp(stamp).getTime() / 1000);
  if (Number.isNaN(seconds)) return stamp;
  const parts = [
    [Math.floor(seconds / 86_400), "Day"],
    [Math.floor(seconds / 3600) % 24, "Hour"],
    [Math.floor(seconds / 60) % 60, "Minute"],
    [seconds % 60, "Second"],
  ] as const;
  const shown = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}${count === 1 ? "" : "s"}`);
  return shown.length === 0 ? "0 Seconds" : shown.join(" ");
}
