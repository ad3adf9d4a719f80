import { scriptedValue } from "./scripted-values.ts";

type Clock = Parameters<typeof scriptedValue>[1];
type Test = (value: string) => boolean;

const unitMs: Readonly<Record<string, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  dayofweek: 86_400_000,
  day: 86_400_000,
  week: 604_800_000,
  month: 2_592_000_000,
  year: 31_536_000_000,
};

/** `ONToday@start@end` and `NOTON…`: the name is for people, the two instants count [D]. */
export function on(operator: "ON" | "NOTON", text: string, context: Clock): Test | undefined {
  const [, start, end] = text.split("@");
  if (start === undefined || end === undefined) return undefined;
  const from = scriptedValue(start, context);
  const to = scriptedValue(end, context);
  return operator === "ON" ? (value) => value >= from && value <= to : (value) => value !== "" && (value < from || value > to);
}

/** `RELATIVEGT@hour@ago@1`: later than an hour ago [D]. */
export function relative(operator: "RELATIVEGT" | "RELATIVELT", text: string, context: Clock): Test | undefined {
  const [, unit = "", direction, count = ""] = text.split("@");
  const size = unitMs[unit];
  if (size === undefined || !/^\d+$/.test(count)) return undefined;
  const shift = Number(count) * size * (direction === "ahead" ? 1 : -1);
  const edge = new Date(context.now.getTime() + shift).toISOString().slice(0, 19).replace("T", " ");
  return operator === "RELATIVEGT" ? (value) => value !== "" && value > edge : (value) => value !== "" && value < edge;
}

/** `DATEPARTMonday@javascript:gs.datePart('dayofweek','monday','EE')`: a part of the date, in UTC here [D]. */
export function datePart(text: string): Test | undefined {
  const call = /@javascript:gs\.datePart\('(\w+)','(\w+)','(EE|LT|LE|GT|GE)'\)/.exec(text);
  const [, unit = "", name = "", comparison = ""] = call ?? [];
  const wanted = /^\d+$/.test(name) ? Number(name) : (parts[name.slice(0, 3).toLowerCase()] ?? Number.NaN);
  if (Number.isNaN(wanted)) return undefined;
  return (value) => {
    const found = partOf(value, unit);
    if (found === undefined) return false;
    if (comparison === "EE") return found === wanted;
    return comparison.startsWith("L")
      ? found < wanted || (comparison === "LE" && found === wanted)
      : found > wanted || (comparison === "GE" && found === wanted);
  };
}

/** `MORETHANopened_at@day@after@5`: more than five days after what another column holds; `LESSTHAN` likewise [D]. Gives the test and that column. */
export function apart(
  operator: "MORETHAN" | "LESSTHAN",
  text: string,
): { readonly other: string; readonly test: (value: string, other: string) => boolean } | undefined {
  const [other = "", unit = "", direction = "", count = ""] = text.split("@");
  const size = unitMs[unit];
  if (size === undefined || !/^\d+$/.test(count) || !/^(before|after)$/.test(direction)) return undefined;
  const test = (value: string, reference: string) => {
    const difference = (instantOf(value) - instantOf(reference)) * (direction === "after" ? 1 : -1);
    return operator === "MORETHAN" ? difference > Number(count) * size : difference >= 0 && difference < Number(count) * size;
  };
  return { other, test };
}

const parts: Readonly<Record<string, number>> = Object.fromEntries([
  ...["sun", "mon", "tue", "wed", "thu", "fri", "sat"].map((name, position) => [name, position]),
  ...["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"].map((name, position) => [name, position + 1]),
]);

function partOf(value: string, unit: string): number | undefined {
  const date = new Date(instantOf(value));
  if (Number.isNaN(date.getTime())) return undefined;
  switch (unit) {
    case "dayofweek":
      return date.getUTCDay();
    case "month":
      return date.getUTCMonth() + 1;
    case "quarter":
      return Math.floor(date.getUTCMonth() / 3) + 1;
    case "year":
      return date.getUTCFullYear();
    case "hour":
      return date.getUTCHours();
    default:
      return undefined;
  }
}

function instantOf(stamp: string): number {
  return Date.parse(`${stamp.replace(" ", "T")}Z`);
}
