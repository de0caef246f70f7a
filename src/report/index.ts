/** Reports: HTML files about runs. */
export { type ReportedRun, writeReport } from "./report.ts";
export type { ImageSource } from "./thumbnails.ts";
