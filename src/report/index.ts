/** Reports: HTML files about runs. */
export { type ReportedRun, writeReport } from "./report.ts";
export { writeStudyFiles } from "./study-report.ts";
export type { ImageSource } from "./thumbnails.ts";
