/** The report that lies in a folder of a run or a study: shown as a page of its own in which nothing runs and nothing is asked for. */
import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Its path; null where there is none, or something else has its name. */
export function reportIn(folder: string): string | null {
  const path = join(folder, "report.html");
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() ? path : null;
}

/** The report's text and what a browser is told of it: the folder may come from elsewhere. */
export function reportPage(path: string) {
  const policy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'";
  const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": policy };
  return { text: readFileSync(path, "utf8"), headers };
}
