/**
 * The C library that packages with a `libc` field are chosen by; undefined where that makes no difference.
 *
 * @returns {"glibc" | "musl" | undefined}
 */
export function libcOfThisMachine() {
  if (process.platform !== "linux") return undefined;
  // Otherwise the report resolves host names, which can take seconds. Not known to Node 20.
  Object.assign(process.report, { excludeNetwork: true });
  const report = /** @type {{ header?: { glibcVersionRuntime?: string } }} */ (process.report.getReport());
  return report.header?.glibcVersionRuntime === undefined ? "musl" : "glibc";
}
