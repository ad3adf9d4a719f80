import { readFileSync } from "node:fs";

/** Memory that a process and its children hold, in megabytes; undefined where the system does not tell (it does on Linux). */
export function residentMegabytes(pid: number): number | undefined {
  try {
    const [, pages] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ");
    const own = (Number(pages) * 4_096) / (1024 * 1024);
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    if (children === "") return own;
    return children.split(" ").reduce((sum, child) => sum + (residentMegabytes(Number(child)) ?? 0), own);
  } catch {
    return undefined;
  }
}
