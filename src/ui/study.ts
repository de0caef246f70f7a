/** A study's results as its folder has them, with the ids of the runs that the pages know. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type StudyResults, studyResultsSchema } from "../runs/study-results.ts";
import type { FoundFolder } from "./find-runs.ts";
import type { Library } from "./library.ts";
import { reportIn } from "./report-file.ts";

export interface ShownStudy {
  readonly id: string;
  readonly path: string;
  /** Null until the study has written its results. */
  readonly results: StudyResults | null;
  /** Id of the run in a folder of the study. */
  readonly runs: Readonly<Record<string, string>>;
  readonly problem: string | null;
  /** Whether its report lies in the folder. */
  readonly report: boolean;
}

export function readStudy(library: Library, { id, folder, path }: FoundFolder): ShownStudy {
  const own = library.found().runs.filter(({ study }) => study === id);
  const report = reportIn(folder) !== null;
  const runs = Object.fromEntries(own.map((run) => [run.folder.slice(folder.length + 1), run.id]));
  try {
    const read = studyResultsSchema.safeParse(JSON.parse(readFileSync(join(folder, "study.json"), "utf8")));
    if (read.success) return { id, path, results: read.data, runs, problem: null, report };
    return { id, path, results: null, runs, report, problem: "study.json is of another version of viva, or damaged" };
  } catch {
    return { id, path, results: null, runs, report, problem: "the study has no results yet: its runs are below" };
  }
}
