/** Runs a recipe: stages in order, one global step count, evaluations, checkpoints; resuming changes nothing in the record. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, RunError, UserError } from "../core/errors.ts";
import type { RolloutGroup } from "../core/records.ts";
import { type EvalSummary, evaluatePolicy } from "../evaluate/index.ts";
import type { Recipe } from "../recipes/schema.ts";
import { isPreference, isSupervised, needsOf } from "../recipes/stage-kinds.ts";
import { type Checkpoint, latestCheckpoint, pruneCheckpoints, writeCheckpoint } from "../runs/checkpoints.ts";
import type { Metrics } from "../runs/metrics.ts";
import type { Reporter } from "../runs/reporter.ts";
import { type Run, rewindRun, sidecarPath, stepName } from "../runs/run-folder.ts";
import { describePreflight } from "../session/preflight.ts";
import { describePlan } from "../session/run-memory.ts";
import type { Session } from "../session/session.ts";
import type { Alarm } from "../train/alarms/index.ts";
import { nonFinite, type TrainingContext } from "../train/context.ts";
import { dpoStep } from "../train/dpo.ts";
import { rolloutStep } from "../train/rollout.ts";
import { type RolloutRecord, rolloutRecord, tokenRecord } from "../train/rollout-records.ts";
import { sftStep } from "../train/sft.ts";
import { dryStep, dryStepWanted } from "./dry-step.ts";
import { type PlannedStage, planStages, updatesUntil } from "./planned-stages.ts";
import { openStageAlarms, reportAlarms } from "./run-alarms.ts";
import { type EvaluationSetup, evaluationSetup, untunedAnswers } from "./run-evaluation.ts";

/** The evaluations of a run in order: before training, between, and at the end of each stage. */
export interface StepEvaluation {
  readonly step: number;
  readonly stage: string;
  readonly summary: EvalSummary;
}

export interface TrainResult {
  readonly steps: number;
  readonly evaluations: readonly StepEvaluation[];
}

/** What a step leaves for the record. */
interface StepRecord {
  readonly metrics: Metrics;
  /** Ids of the examples it saw. */
  readonly examples: readonly string[];
  readonly groups: readonly RolloutGroup[];
}

/** Trains to the end, or from the newest whole checkpoint when `resume` is set. */
export async function trainRecipe(
  recipe: Recipe,
  session: Session,
  run: Run,
  o: { readonly reporter: Reporter; readonly resume: boolean; readonly signal?: AbortSignal },
): Promise<TrainResult> {
  const { engine } = session;
  const stages = planStages(recipe, session);
  const total = stages.reduce((sum, { steps }) => sum + steps, 0);
  const evaluations: StepEvaluation[] = [];
  if (dryStepWanted(recipe, total)) await dryStep(session, recipe);
  const checkpoint = o.resume ? await restore(session, run, o.reporter) : null;
  let step = checkpoint?.step ?? 0;
  const earlierUpdates = updatesUntil(stages, step);

  const standing = evaluationSetup(recipe, session);
  const evaluate = async (stage: string) => {
    if (session.evaluation === null || recipe.evaluate === null) return;
    const work = async () => evaluateStep(session, run, step, stage, { ...o, ...(await standing()) });
    const summary = await recorded(run, step, stage, work);
    evaluations.push({ step, stage, summary });
  };
  if (checkpoint === null) reportData(session, run, o.reporter);
  if (step === 0 && recipe.evaluate?.at_start) await evaluate("start");

  for (const planned of stages) {
    const { stage, start, steps, name } = planned;
    if (step >= start + steps) continue;
    if (step === start) {
      await engine.resetOptimizer();
      await engine.freezeReference(needsOf(stage).reference);
      run.events.append({ event: "stage_start", step: step + 1, stage: name, steps });
    }
    const context = stageContext(recipe, session, planned, run, o.reporter, () => step);
    const alarms = openStageAlarms(recipe, session.rewards[planned.index]!, run, { start, step });
    while (step < start + steps) {
      o.signal?.throwIfAborted();
      step++;
      const record = await recorded(run, step, name, () => trainStep(context, session, planned, step));
      const groups = recordStep(run, session, planned, step, earlierUpdates, record);
      o.reporter.step({ stage: name, step: step - start, total: steps, metrics: record.metrics });
      const rung = alarms?.see({ step, metrics: record.metrics, groups }) ?? [];
      reportAlarms(rung, run, o.reporter, { step, stage: name });
      const stopping = recipe.alarms?.on_alarm === "stop" && step < total ? rung.find(isRinging) : undefined;
      const stageEnd = step === start + steps;
      const every = recipe.evaluate?.every ?? null;
      if (stageEnd || (every !== null && step % every === 0)) await evaluate(name);
      const due = step === total || stageEnd || isDue(step, recipe.checkpoint.every);
      if (due || stopping !== undefined) await save(recipe, session, run, step);
      if (stopping !== undefined) await recorded(run, step, name, () => stopFor(stopping, run, step));
    }
  }
  run.events.append({ event: "run_end", step: total });
  return { steps: total, evaluations };
}

/** What was found in the data, and what was left out before the run began, belong to its record. */
function reportData({ skipped, preflight, memory }: Session, run: Run, reporter: Reporter): void {
  for (const example of skipped) run.events.append({ event: "example_skipped", step: 0, stage: "start", ...example });
  for (const report of preflight) {
    run.events.append({ event: "preflight", step: 0, stage: "start", ...report });
    const [found, ...dropped] = describePreflight(report);
    reporter.message(found!);
    for (const line of dropped) reporter.warn(line);
  }
  reporter.message(describePlan(memory));
}

/** Work whose failure is an event of the run; being asked to stop is none. */
async function recorded<T>(run: Run, step: number, stage: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const stopped = error instanceof Error && error.name === "AbortError";
    if (!stopped) run.events.append({ event: "error", step, stage, message: messageOf(error) });
    throw error;
  }
}

function isRinging({ event }: Alarm): boolean {
  return event === "alarm";
}

function stopFor({ rule }: Alarm, { paths }: Run, step: number): never {
  throw new RunError(
    `stopped after step ${step} by the alarm ${rule} (alarms.on_alarm: stop); viva train --run ${paths.folder} --resume goes on`,
  );
}

function isDue(step: number, every: number | null): boolean {
  return every !== null && step % every === 0;
}

function stageContext(
  recipe: Recipe,
  session: Session,
  { index, steps, name }: PlannedStage,
  run: Run,
  reporter: Reporter,
  step: () => number,
): TrainingContext {
  return {
    engine: session.engine,
    processor: session.processor,
    examples: session.train,
    prompt: session.prompt,
    seed: recipe.seed,
    stage: index,
    steps,
    onBadImage: recipe.data.on_bad_image,
    onSkip: (skipped) => {
      run.events.append({ event: "example_skipped", step: step(), stage: name, ...skipped });
      reporter.warn(`example "${skipped.example_id}" skipped: ${skipped.reason}`);
    },
    onRewardEvent: ({ event, ...record }) => {
      run.events.append({ event, step: step(), stage: name, ...record });
      reporter.warn([event, ...Object.values(record)].join(" "));
    },
  };
}

async function trainStep(
  context: TrainingContext,
  session: Session,
  { stage, index, start }: PlannedStage,
  step: number,
): Promise<StepRecord> {
  const position = { index: step - start - 1, step };
  const rewards = session.rewards[index]!;
  if (isSupervised(stage)) return { ...(await sftStep(context, stage, position)), groups: [] };
  if (!isPreference(stage)) return rolloutStep(context, stage, rewards, position);
  const source = stage.pairs === null ? { rewards } : { pairs: session.pairs[index]! };
  return dpoStep(context, stage, source, position);
}

/** Appends a step to the record; returns its lines of rollouts.jsonl. Throws RunError where the step's loss is no number. */
function recordStep(
  run: Run,
  session: Session,
  { name, index }: PlannedStage,
  step: number,
  earlierUpdates: number,
  { metrics, examples, groups }: StepRecord,
): readonly RolloutRecord[] {
  run.metrics.append({ step, stage: name, ...metrics });
  const { imageTokenId } = session.processor;
  const o = { step, stage: name, style: session.prompt.style, imageTokenId, earlierUpdates };
  const records = groups.map((group) => rolloutRecord(group, o, session.rewards[index]!));
  for (const record of records) run.rollouts.append(record);
  if (groups.length > 0) {
    const lines = groups.map((group) => JSON.stringify(tokenRecord(group)));
    writeFileSync(sidecarPath(run.paths, step), `${lines.join("\n")}\n`);
  }
  const trouble = nonFinite(metrics);
  if (trouble === null) return records;
  const saved = join(run.paths.folder, `failed-${stepName(step)}.json`);
  writeFileSync(
    saved,
    JSON.stringify({ step, stage: name, trouble, examples, metrics, groups: groups.map(tokenRecord) }, null, 2),
  );
  run.events.append({ event: "error", step, stage: name, message: trouble, saved });
  throw new RunError(
    `step ${step} (${name}): ${trouble}; the batch is in ${saved}. Start a new run with a lower learning_rate or max_grad_norm`,
  );
}

async function evaluateStep(
  session: Session,
  run: Run,
  step: number,
  stage: string,
  o: EvaluationSetup & { readonly reporter: Reporter; readonly signal?: AbortSignal },
): Promise<EvalSummary> {
  const { reporter, conditions, beside, vocabulary } = o;
  const { items, summary } = await evaluatePolicy(session.engine.policy, session.evaluation!, {
    processor: session.processor,
    prompt: session.prompt,
    maxCompletionLength: conditions.decoding!.max_completion_length,
    checkpoint: stepName(step),
    train: session.train,
    conditions,
    beside: { ...beside, ...untunedAnswers(session, run, step) },
    ...(vocabulary === undefined ? {} : { vocabulary }),
    ...(o.signal === undefined ? {} : { signal: o.signal }),
  });
  for (const item of items) run.evals.append({ kind: "item", step, ...item });
  run.evals.append({ kind: "summary", step, stage, ...summary });
  reporter.message(`step ${step} (${stage}): ${accuracies(summary)}`);
  return summary;
}

/** "accuracy 54.2 [51.0, 57.3] (closed 60.1, open 48.9), question-only 54.9". */
export function accuracies({ subsets }: EvalSummary): string {
  const percent = (value: number) => (100 * value).toFixed(1);
  const { overall } = subsets;
  if (overall === undefined) return "no items";
  const parts = (["closed", "open", "choice"] as const).flatMap((name) => {
    const subset = subsets[name];
    return subset === undefined ? [] : [`${name} ${percent(subset.accuracy.estimate)}`];
  });
  const { estimate, low, high } = overall.accuracy;
  const baseline = overall.baselines["question_only"];
  const beside = baseline === undefined ? "" : `; question-only ${percent(baseline.accuracy)}`;
  return `accuracy ${percent(estimate)} % [${percent(low)}, ${percent(high)}] of ${overall.n} (${parts.join(", ")})${beside}`;
}

async function save(recipe: Recipe, session: Session, run: Run, step: number): Promise<void> {
  run.events.append({ event: "checkpoint", step, name: stepName(step) });
  await writeCheckpoint(run, step, (folder) => session.engine.save(folder, { training: true }), { step });
  await pruneCheckpoints(run, recipe.checkpoint.keep);
}

/** Loads the newest whole checkpoint, if any, and drops every later line of the record. */
async function restore(session: Session, run: Run, reporter: Reporter): Promise<Checkpoint | null> {
  const { checkpoint, damaged } = await latestCheckpoint(run);
  for (const { folder, reason } of damaged) reporter.warn(`${folder} is damaged and passed over: ${reason}`);
  rewindRun(run, checkpoint?.step ?? -1);
  run.events.truncate(({ event }) => event !== "run_end");
  if (checkpoint === null) {
    reporter.message("no checkpoint yet: starting from the beginning");
    return null;
  }
  try {
    await session.engine.load(checkpoint.folder);
  } catch (cause) {
    if (cause instanceof RunError) throw cause;
    throw new UserError(`${checkpoint.folder}: cannot be resumed from: ${(cause as Error).message}`, { cause });
  }
  reporter.message(`resuming after step ${checkpoint.step}`);
  return checkpoint;
}
