/**
 * Loaded into an old npm that runs on our Node. npm 9.6, which came with Node 20.0, asks the report for `glibcRuntimeVersion`, which
 * is called `glibcVersionRuntime`, finds no C library and leaves out every package made for one: Biome's and Rolldown's programs.
 */
const { getReport } = process.report;
process.report.getReport = (error) => {
  const report = /** @type {{ header: Record<string, unknown> }} */ (getReport.call(process.report, error));
  report.header.glibcRuntimeVersion ??= report.header.glibcVersionRuntime;
  return report;
};
