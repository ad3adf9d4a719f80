/** Resolves on the first SIGINT or SIGTERM. A second one ends the process at once: somebody is in a hurry. */
export function untilAskedToStop(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => {
        if (asked) process.exit(128 + (signal === "SIGINT" ? 2 : 15));
        asked = true;
        resolve(signal);
      });
    }
  });
}
