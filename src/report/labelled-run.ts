/** A run as passed to the sections of a report. */
import type { RunStatistics } from "../runs/statistics-records.ts";
import type { StudyArm } from "../runs/study-results.ts";
import type { RunRecord } from "./read-run.ts";

/** A run as passed to the sections of a report. */
export interface LabelledRun {
  readonly label: string;
  readonly record: RunRecord;
  readonly statistics: RunStatistics;
}

/** An arm with the records of its finished runs. */
export interface ArmRecords {
  readonly arm: StudyArm;
  readonly records: readonly RunRecord[];
}
