/** How a value looks on the console: like source text, bounded in every direction. */
export function show(value: unknown, length: number): string {
  if (typeof value === "string") return value.length > length ? value.slice(0, length) : value;
  const budget = { left: length };
  try {
    return render(value, 0, budget).slice(0, length);
  } catch {
    return "[cannot be shown]";
  }
}

const deepest = 4;
const widest = 100;

function render(value: unknown, depth: number, budget: { left: number }): string {
  const text = renderWhole(value, depth, budget);
  budget.left -= text.length;
  return text;
}

function renderWhole(value: unknown, depth: number, budget: { left: number }): string {
  if (budget.left <= 0) return "…";
  if (typeof value === "string") return JSON.stringify(value.length > budget.left ? `${value.slice(0, budget.left)}…` : value);
  if (typeof value === "bigint") return `${String(value).slice(0, budget.left)}n`;
  if (typeof value === "function") return `[function ${typeof value.name === "string" ? value.name.slice(0, 100) : ""}]`;
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Date) {
    const time = Date.prototype.getTime.call(value);
    return time - time === 0 ? new Date(time).toISOString() : "Invalid Date";
  }
  if (value instanceof Error) {
    const { name, message } = value as { name: unknown; message: unknown };
    return `${typeof name === "string" ? name.slice(0, 100) : "Error"}: ${typeof message === "string" ? message.slice(0, budget.left) : ""}`;
  }
  if (depth >= deepest) return Array.isArray(value) ? "[…]" : "{…}";
  if (Array.isArray(value)) return renderList("[", value, "]", depth, budget);
  if (value instanceof Set) return renderList("Set [", [...value].slice(0, widest + 1), "]", depth, budget);
  if (value instanceof Map) return renderList("Map [", [...value].slice(0, widest + 1), "]", depth, budget);
  return renderObject(value as Record<string, unknown>, depth, budget);
}

function renderList(open: string, values: readonly unknown[], close: string, depth: number, budget: { left: number }): string {
  const parts: string[] = [];
  for (let index = 0; index < values.length; index += 1) {
    if (index >= widest || budget.left <= 0) {
      parts.push("…");
      break;
    }
    parts.push(render(values[index], depth + 1, budget));
  }
  return `${open}${parts.join(", ")}${close}`;
}

function renderObject(value: Record<string, unknown>, depth: number, budget: { left: number }): string {
  const parts: string[] = [];
  for (const key of Object.keys(value)) {
    if (parts.length >= widest || budget.left <= 0) {
      parts.push("…");
      break;
    }
    const name = /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key.slice(0, 200));
    parts.push(`${name}: ${render(value[key], depth + 1, budget)}`);
  }
  return parts.length === 0 ? "{}" : `{ ${parts.join(", ")} }`;
}
