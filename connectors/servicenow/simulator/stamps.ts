/** `YYYY-MM-DD HH:MM:SS` in UTC, cut to the second: what the database holds and `value` shows [R]. */
export function stampOf(date: Date): string {
  return date.toISOString().slice(0, 19).replace("T", " ");
}

function dateOfStamp(stamp: string): Date {
  return new Date(`${stamp.replace(" ", "T")}Z`);
}

/** How a person has times written. */
export interface TimeStyle {
  readonly timeZone: string;
  /** Of `yyyy MM dd`. */
  readonly dateFormat: string;
  /** Of `HH hh mm ss a`. */
  readonly timeFormat: string;
}

const zones = new Map<string, Intl.DateTimeFormat>();

/** The same instant as a person sees it, in their zone and format: what `display_value` shows, and why it must never be parsed [R]. */
export function displayStamp(stamp: string, style: TimeStyle): string {
  const date = dateOfStamp(stamp);
  if (Number.isNaN(date.getTime())) return stamp;
  const parts = partsIn(date, style.timeZone);
  return written(`${style.dateFormat} ${style.timeFormat}`, parts);
}

/** A date without a time has no zone, only a format. */
export function displayDate(value: string, style: TimeStyle): string {
  const date = dateOfStamp(`${value} 00:00:00`);
  return Number.isNaN(date.getTime()) ? value : written(style.dateFormat, partsIn(date, "UTC"));
}

/** Reads a time as a person writes it, in their zone and format; undefined when it is none. */
export function stampFromDisplay(text: string, style: TimeStyle): string | undefined {
  const parts = readAs(`${style.dateFormat} ${style.timeFormat}`, text) ?? readAs(style.dateFormat, text);
  if (parts === undefined) return undefined;
  const hour = parts.a === undefined ? Number(parts.HH ?? "0") : (Number(parts.hh ?? "0") % 12) + (/p/i.test(parts.a) ? 12 : 0);
  const local = Date.UTC(Number(parts.yyyy), Number(parts.MM) - 1, Number(parts.dd), hour, Number(parts.mm ?? "0"), Number(parts.ss ?? "0"));
  if (Number.isNaN(local)) return undefined;
  // The offset of the guess may be that of the other side of a clock change; the second try settles it.
  const first = local - offsetAt(local, style.timeZone);
  return stampOf(new Date(local - offsetAt(first, style.timeZone)));
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

const patternParts = /yyyy|MM|dd|HH|hh|mm|ss|a/g;
type Parts = Readonly<Record<string, string | undefined>>;

function partsIn(date: Date, timeZone: string): Parts {
  let format = zones.get(timeZone);
  if (format === undefined) {
    const digits = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
    format = new Intl.DateTimeFormat("en-GB", { timeZone, hourCycle: "h23", ...digits });
    zones.set(timeZone, format);
  }
  const found = Object.fromEntries(format.formatToParts(date).map(({ type, value }) => [type, value]));
  const hour = Number(found.hour);
  return {
    yyyy: found.year?.padStart(4, "0"),
    MM: found.month,
    dd: found.day,
    HH: found.hour,
    hh: String(hour % 12 === 0 ? 12 : hour % 12).padStart(2, "0"),
    mm: found.minute,
    ss: found.second,
    a: hour < 12 ? "AM" : "PM",
  };
}

function written(pattern: string, parts: Parts): string {
  return pattern.replace(patternParts, (part) => parts[part] ?? "");
}

function readAs(pattern: string, text: string): Parts | undefined {
  const names: string[] = [];
  const expression = pattern.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(patternParts, (part) => {
    names.push(part);
    return part === "a" ? "([AaPp][Mm])" : part === "yyyy" ? "(\\d{4})" : "(\\d{1,2})";
  });
  const found = new RegExp(`^${expression}$`).exec(text.trim());
  return found === null ? undefined : Object.fromEntries(names.map((name, position) => [name, found[position + 1]]));
}

/** How far a zone is ahead of UTC at an instant, in ms. */
function offsetAt(instant: number, timeZone: string): number {
  const parts = partsIn(new Date(instant), timeZone);
  const local = Date.UTC(Number(parts.yyyy), Number(parts.MM) - 1, Number(parts.dd), Number(parts.HH), Number(parts.mm), Number(parts.ss));
  return local - Math.floor(instant / 1000) * 1000;
}
