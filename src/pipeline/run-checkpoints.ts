/**
 * The checkpoints of a run: which steps have one, which of them stay, and going on from the newest. A checkpoint that only
 * saves what an interruption would lose goes with the next one that is due, so that the end of a run does not show it.
 */
import { UserError } from "../core/errors.ts";
import type { Recipe } from "../recipes/schema.ts";
import { bestEvaluation, type StepAccuracy } from "../runs/best-evaluation.ts";
import { latestCheckpoint, pruneCheckpoints, writeCheckpoint } from "../runs/checkpoints.ts";
import { scanJsonl } from "../runs/jsonl.ts";
import type { Metrics } from "../runs/metrics.ts";
import { type RecordRows, type Run, recordRows, rewindRun, stepName } from "../runs/run-folder.ts";
import type { Session } from "../session/session.ts";
import { type RewardStates, restoreRewards, rewardStates } from "../train/calibrate.ts";
import type { Told } from "./observers/index.ts";
import type { PlannedStage } from "./planned-stages.ts";
import { requireWholeRecord } from "./whole-record.ts";

/** How far a run has come. */
export interface Standing {
  /** The last step whose record is whole, but for its evaluation if one is owed. */
  readonly step: number;
  /** The step is to be evaluated and was not yet. */
  readonly owed: boolean;
}

/** Whether a step ends with a checkpoint by the recipe, whatever its evaluation says. */
export function isDue(step: number, { every }: Recipe["checkpoint"], stages: readonly PlannedStage[]): boolean {
  return isStageEnd(step, stages) || (every !== null && step % every === 0);
}

function isStageEnd(step: number, stages: readonly PlannedStage[]): boolean {
  return stages.some(({ start, steps }) => step === start + steps);
}

/** What stays of the checkpoints up to `step`: the newest that were due, the end of every stage, and the best. */
export function keptCheckpoints(
  steps: readonly number[],
  o: {
    readonly checkpoint: Recipe["checkpoint"];
    readonly stages: readonly PlannedStage[];
    readonly best: number | null;
  },
): readonly number[] {
  const { keep } = o.checkpoint;
  if (keep === null) return steps;
  const newest = steps.filter((step) => isDue(step, o.checkpoint, o.stages)).slice(-keep);
  return steps.filter((step) => newest.includes(step) || isStageEnd(step, o.stages) || step === o.best);
}

/** The step that `checkpoint.best` keeps; null where the recipe keeps none. */
export function bestStep({ best }: Recipe["checkpoint"], evaluations: readonly StepAccuracy[]): number | null {
  return best === null ? null : (bestEvaluation(evaluations)?.step ?? null);
}

/** Writes a checkpoint that is due, as an event of the run, and removes those that need not stay. */
export async function saveDue(
  session: Session,
  run: Run,
  told: Told,
  o: { readonly step: number; readonly stages: readonly PlannedStage[]; readonly best: number | null },
): Promise<void> {
  const { checkpoint } = session.recipe;
  told.event({ event: "checkpoint", step: o.step, name: stepName(o.step) });
  await writeStanding(session, run, { step: o.step, owed: false }, recordRows(run));
  await pruneCheckpoints(run, o.step, (steps) => keptCheckpoints(steps, { ...o, checkpoint }));
}

/** What state.json of a checkpoint says. */
type SavedState = {
  readonly step: number;
  readonly evaluated?: boolean;
  /** What the record held up to the step; absent in checkpoints of earlier versions. */
  readonly rows?: RecordRows;
  /** What rewards measured before their stage's first step, by stage. */
  readonly rewards?: readonly RewardStates[];
};

/** Writes the checkpoint of where the run stood when its record had these rows; it is no part of the record. */
export async function writeStanding(
  { engine, rewards }: Session,
  run: Run,
  { step, owed }: Standing,
  rows: RecordRows,
): Promise<void> {
  const measured = rewards.map(rewardStates);
  const hasMeasured = measured.some((own) => Object.keys(own).length > 0);
  const state: SavedState = {
    step,
    rows,
    ...(owed ? { evaluated: false } : {}),
    ...(hasMeasured ? { rewards: measured } : {}),
  };
  await writeCheckpoint(run, step, (folder) => engine.save(folder, { training: true }), state);
}

/**
 * Loads the newest whole checkpoint and drops every later row of the record, and of its own step what an unbroken run
 * would not have: errors, and parts of an evaluation that is owed. Without a checkpoint, the run is as at its start.
 * Throws UserError, and drops nothing, where the record lacks rows that were written before the checkpoint.
 */
export async function restore(session: Session, run: Run, told: Told): Promise<Standing | null> {
  const { checkpoint, damaged } = await latestCheckpoint(run);
  for (const { folder, reason } of damaged) told.notice({ notice: "checkpoint_damaged", folder, reason });
  const state = checkpoint?.state as SavedState | undefined;
  requireWholeRecord(run, checkpoint === null ? null : { ...checkpoint, rows: state?.rows });
  rewindRun(run, checkpoint?.step ?? -1);
  run.events.truncate(({ event }) => event !== "run_end" && event !== "error");
  if (checkpoint === null) {
    told.notice({ notice: "resumed", step: null });
    return null;
  }
  const { step } = checkpoint;
  const owed = state?.evaluated === false;
  for (const [i, states] of (state?.rewards ?? []).entries()) restoreRewards(session.rewards[i]!, states);
  if (owed) run.evals.truncate((row) => row["step"] !== step);
  try {
    await session.engine.load(checkpoint.folder);
  } catch (cause) {
    throw new UserError(`${checkpoint.folder}: cannot be resumed from: ${(cause as Error).message}`, { cause });
  }
  told.notice({ notice: "resumed", step });
  return { step, owed };
}

/** The accuracies of the evaluations in a run's record. */
export function recordedAccuracies({ paths }: Run): StepAccuracy[] {
  const found: StepAccuracy[] = [];
  for (const row of scanJsonl<SummaryRow>(paths.evals)) {
    if (row.kind === "summary" && row.subsets.overall !== undefined) {
      found.push({ step: row.step, accuracy: row.subsets.overall.accuracy.estimate });
    }
  }
  return found;
}

/** The metrics that a step reported; throws where the record lacks them. */
export function recordedMetrics({ paths }: Run, step: number): Metrics {
  for (const row of scanJsonl<Metrics & { readonly step: number }>(paths.metrics)) if (row.step === step) return row;
  throw new UserError(
    `${paths.metrics} has no row of step ${step}, which was written before the checkpoint: bring the file back, or start a new run`,
  );
}

interface SummaryRow {
  readonly kind: string;
  readonly step: number;
  readonly subsets: { readonly overall?: { readonly accuracy: { readonly estimate: number } } };
}
