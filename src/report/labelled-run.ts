/** A run as passed to the sections of a report. */
import type { RewardCorrelation, RunStatistics } from "../runs/statistics-records.ts";
import type { StudyArm } from "../runs/study-results.ts";
import type { RunRecord } from "./read-run.ts";

/** A run as passed to the sections of a report. */
export interface LabelledRun {
  readonly label: string;
  readonly record: RunRecord;
  readonly statistics: RunStatistics;
  /** Late in training, within groups; the weighted sum first. */
  readonly rewards: readonly RewardCorrelation[];
}

/** An arm with the records of its finished runs. */
export interface ArmRecords {
  readonly arm: StudyArm;
  readonly records: readonly RunRecord[];
}
