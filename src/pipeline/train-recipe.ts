/** Runs a recipe: stages in order, one global step count, evaluations, checkpoints; resuming changes nothing in the record. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, RunError } from "../core/errors.ts";
import type { RolloutGroup } from "../core/records.ts";
import { whileWriting } from "../core/system-errors.ts";
import { answerQuestions, type EvalSummary, evaluatePolicy, shotFigures, shotsFrom } from "../evaluate/index.ts";
import type { Extension } from "../recipes/extension.ts";
import type { Recipe } from "../recipes/schema.ts";
import { isPreference, isSoftQ, isSupervised, isWarmUp, needsOf } from "../recipes/stage-kinds.ts";
import type { Metrics } from "../runs/metrics.ts";
import { type Run, stepName } from "../runs/run-folder.ts";
import type { Session } from "../session/session.ts";
import type { Alarm } from "../train/alarms/index.ts";
import type { SkippedExample } from "../train/batches.ts";
import { calibrateRewards } from "../train/calibrate.ts";
import { collectWith } from "../train/collect-rollouts.ts";
import { nonFinite, type TrainingContext } from "../train/context.ts";
import { pairStep } from "../train/pair-step.ts";
import type { RewardEvent } from "../train/reward-log.ts";
import { rolloutStep } from "../train/rollout.ts";
import { rolloutRecord, tokenRecord } from "../train/rollout-records.ts";
import { sftStep } from "../train/sft.ts";
import { softQStep } from "../train/soft-q.ts";
import { warmUpStep } from "../train/warm-up.ts";
import { dryStep, dryStepWanted } from "./dry-step.ts";
import { observed, type Told } from "./observers/index.ts";
import type { At, RunObserver, StepRecord } from "./observers/observer.ts";
import { runFiles } from "./observers/run-files.ts";
import { paradigmAtTest } from "./paradigm-at-test.ts";
import { type PlannedStage, planStages, stageAt, updatesUntil } from "./planned-stages.ts";
import { alarmEvents, openStageAlarms } from "./run-alarms.ts";
import { bestStep, isDue, recordedAccuracies, recordedMetrics, restore, saveDue } from "./run-checkpoints.ts";
import { answersWithOtherImages, type EvaluationSetup, evaluationSetup, untunedAnswers } from "./run-evaluation.ts";
import { openSafety } from "./stopped-run.ts";

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

/** What a step came to. */
interface StepOutcome {
  readonly metrics: Metrics;
  /** Ids of the examples it saw. */
  readonly examples: readonly string[];
  readonly groups: readonly RolloutGroup[];
}

export interface TrainOptions {
  /** Told of the run beside its folder, which is always written: resuming reads it. */
  readonly observers: readonly RunObserver[];
  readonly resume: boolean;
  /** What a run that resumes has more of than when it began. */
  readonly extension?: Extension | null;
  /** Recorded hashes of data that have changed since the run began, and may have. */
  readonly changed?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Trains to the end, or from the newest whole checkpoint when `resume` is set. An observer's failure stops the run. */
export function trainRecipe(recipe: Recipe, session: Session, run: Run, o: TrainOptions): Promise<TrainResult> {
  return observed([runFiles(run), ...o.observers], (told) => trainStages(recipe, session, run, { ...o, told }));
}

async function trainStages(
  recipe: Recipe,
  session: Session,
  run: Run,
  o: Omit<TrainOptions, "observers"> & { readonly told: Told },
): Promise<TrainResult> {
  const { engine } = session;
  const { told } = o;
  const stages = planStages(recipe, session);
  const total = stages.reduce((sum, { steps }) => sum + steps, 0);
  const evaluations: StepEvaluation[] = [];
  if (dryStepWanted(recipe, session, total)) await dryStep(session, recipe);
  const restored = o.resume ? await restore(session, run, told) : null;
  const accuracies = restored === null ? [] : recordedAccuracies(run);
  const safety = openSafety(session, run, restored);
  const earlierUpdates = updatesUntil(stages, safety.standing().step);

  const evaluationOf = evaluationSetup(recipe, session);
  const evaluate = async (at: At) => {
    if (session.evaluation === null || recipe.evaluate === null) return;
    const setup = await evaluationOf();
    const summary = await recorded(told, at, () => evaluateStep(recipe, session, run, at, { ...o, ...setup }));
    evaluations.push({ ...at, summary });
    if (at.step === 0 || at.step === total)
      await recorded(told, at, () => askWithShots(recipe, session, at, { ...o, ...setup }));
    const accuracy = summary.subsets.overall?.accuracy.estimate;
    if (accuracy !== undefined) accuracies.push({ step: at.step, accuracy });
  };
  /** What follows a step: its evaluation and its checkpoint, where they are due. */
  const finishStep = async (at: At) => {
    const { step } = at;
    if (safety.standing().owed) await evaluate(at);
    safety.reached({ step, owed: false });
    const best = bestStep(recipe.checkpoint, accuracies);
    if (!isDue(step, recipe.checkpoint, stages) && best !== step) return;
    await saveDue(session, run, told, { step, stages, best });
    safety.saved();
  };

  const trainStage = async (planned: PlannedStage) => {
    const { stage, start, steps, name } = planned;
    const end = start + steps;
    const done = () => safety.standing().step;
    const context = stageContext(recipe, session, planned, told, () => done() + 1);
    if (done() === start) {
      await engine.resetOptimizer();
      await engine.freezeReference(needsOf(stage).reference);
      told.event({ event: "stage_start", step: start + 1, stage: name, steps });
      await recorded(told, { step: start + 1, stage: name }, () => calibrate(context, session, planned, told));
    }
    let before = done() > start ? recordedMetrics(run, done()) : undefined;
    const alarms = openStageAlarms(recipe, session.rewards[planned.index]!, run, { start, step: done() });
    while (done() < end) {
      o.signal?.throwIfAborted();
      const step = done() + 1;
      const at = { step, stage: name };
      const outcome = await recorded(told, at, () => trainStep(context, session, planned, { step, before }));
      const record = stepRecord(session, planned, at, earlierUpdates, outcome);
      told.step(record);
      before = record.metrics;
      if (nonFinite(record.metrics) !== null) safety.spoilt();
      requireFinite(record, outcome.examples, run, told);
      const fired = alarms?.see({ step, metrics: record.metrics, groups: record.rollouts }) ?? [];
      for (const event of alarmEvents(fired, at)) told.event(event);
      safety.reached({ step, owed: step === end || isEvery(step, recipe.evaluate?.every) });
      await finishStep(at);
      const stopping = recipe.alarms?.on_alarm === "stop" && step < total ? fired.find(isFiring) : undefined;
      if (stopping !== undefined) await recorded(told, at, () => stopFor(stopping, step));
    }
  };

  try {
    const { step, owed } = safety.standing();
    tellChanges(o, stages, step);
    if (restored === null) tellData(session, told);
    if (step === 0 && recipe.evaluate?.at_start) await evaluate({ step, stage: "start" });
    if (owed) await finishStep({ step, stage: stageAt(stages, step).name });
    for (const planned of stages) if (safety.standing().step < planned.start + planned.steps) await trainStage(planned);
  } catch (error) {
    await safety.stop(told, error);
    throw error;
  }
  told.event({ event: "run_end", step: total });
  return { steps: total, evaluations };
}

/** What is no longer as the run recorded it belongs to its record. */
function tellChanges(
  { told, changed = {}, extension }: Pick<TrainOptions, "changed" | "extension"> & { readonly told: Told },
  stages: readonly PlannedStage[],
  step: number,
): void {
  const before = stages.findLast(({ start }) => start <= step)!.name;
  if (Object.keys(changed).length > 0) told.event({ event: "data_changed", step, stage: before, recorded: changed });
  if (extension) told.event({ event: "extended", step, stage: stages.at(-1)!.name, ...extension });
}

/** What was found in the data, and what was left out before the run began, belong to its record. */
function tellData({ skipped, preflight, overlap, memory }: Session, told: Told): void {
  const at = { step: 0, stage: "start" };
  for (const example of skipped) told.event({ event: "example_skipped", ...at, ...example });
  for (const report of preflight) told.event({ event: "preflight", ...at, ...report });
  if (overlap !== null) told.event({ event: "overlap", ...at, ...overlap });
  if (memory !== null) told.notice({ notice: "memory", memory });
}

/** Work whose failure is an event of the run; being asked to stop is none. */
async function recorded<T>(told: Told, at: At, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const stopped = error instanceof Error && error.name === "AbortError";
    if (!stopped) told.event({ event: "error", ...at, message: messageOf(error) });
    throw error;
  }
}

function isFiring({ event }: Alarm): boolean {
  return event === "alarm";
}

async function stopFor({ rule }: Alarm, step: number): Promise<never> {
  throw new RunError(`stopped after step ${step} by the alarm ${rule} (alarms.on_alarm: stop)`);
}

function isEvery(step: number, every: number | null = null): boolean {
  return every !== null && step % every === 0;
}

function stageContext(
  recipe: Recipe,
  session: Session,
  { index, steps, name }: PlannedStage,
  told: Told,
  step: () => number,
): TrainingContext {
  const shared = {
    engine: session.engine,
    processor: session.processor,
    examples: session.train,
    prompt: session.prompt,
    seed: recipe.seed,
    stage: index,
    steps,
    onBadImage: recipe.data.on_bad_image,
    onSkip: (skipped: SkippedExample) => {
      told.event({ event: "example_skipped", step: step(), stage: name, ...skipped });
    },
    onRewardEvent: ({ event, ...record }: RewardEvent) => {
      told.rewardEvent({ event, step: step(), stage: name, ...record });
    },
  };
  const tools = session.tools.stages[index]!;
  return { ...shared, tools, collect: collectWith(shared, tools) };
}

/** Lets rewards measure the policy that the stage begins with; what they found belongs to the record. */
async function calibrate(
  context: TrainingContext,
  session: Session,
  { stage, index, start, name }: PlannedStage,
  told: Told,
): Promise<void> {
  const { generation } = needsOf(stage);
  if (generation === null) return;
  const measured = await calibrateRewards(context, generation, session.rewards[index]!);
  for (const [reward, state] of Object.entries(measured)) {
    told.event({ event: "reward_calibrated", step: start + 1, stage: name, reward, measured: state });
  }
}

async function trainStep(
  context: TrainingContext,
  session: Session,
  { stage, index, start }: PlannedStage,
  { step, before }: { readonly step: number; readonly before: Metrics | undefined },
): Promise<StepOutcome> {
  const position = { index: step - start - 1, step, ...(before === undefined ? {} : { before }) };
  const rewards = session.rewards[index]!;
  if (isSupervised(stage)) return { ...(await sftStep(context, stage, position)), groups: [] };
  if (isSoftQ(stage)) return softQStep(context, stage, rewards, position);
  if (isWarmUp(stage)) {
    const images = stage.images === null ? session.train : session.images[index]!;
    return { ...(await warmUpStep(context, stage, images, position)), groups: [] };
  }
  if (!isPreference(stage)) return rolloutStep(context, stage, rewards, position);
  const source = stage.pairs === null ? { rewards } : { pairs: session.pairs[index]! };
  return pairStep(context, stage, source, position);
}

function stepRecord(
  session: Session,
  { index, start, steps }: PlannedStage,
  at: At,
  earlierUpdates: number,
  { metrics, groups }: StepOutcome,
): StepRecord {
  const { imageTokenId } = session.processor;
  const o = { ...at, style: session.prompt.style, imageTokenId, earlierUpdates };
  return {
    ...at,
    ofStage: { step: at.step - start, steps },
    metrics,
    rollouts: groups.map((group) => rolloutRecord(group, o, session.rewards[index]!)),
    tokens: groups.map(tokenRecord),
  };
}

/** Throws RunError where a step's loss is no number, once its batch is kept. */
function requireFinite(
  { step, stage, metrics, tokens }: StepRecord,
  examples: readonly string[],
  { paths }: Run,
  told: Told,
): void {
  const trouble = nonFinite(metrics);
  if (trouble === null) return;
  const saved = join(paths.folder, `failed-${stepName(step)}.json`);
  const batch = JSON.stringify({ step, stage, trouble, examples, metrics, groups: tokens }, null, 2);
  whileWriting(saved, () => writeFileSync(saved, batch));
  told.event({ event: "error", step, stage, message: trouble, saved });
  const remedy =
    step === 1
      ? "Nothing was trained before: the model's weights are so large that its numbers overflow, so take another copy of the model or an earlier checkpoint"
      : "Start a new run with a lower learning_rate or max_grad_norm";
  throw new RunError(`step ${step} (${stage}): ${trouble}; the batch is in ${saved}. ${remedy}`);
}

async function evaluateStep(
  recipe: Recipe,
  session: Session,
  run: Run,
  at: At,
  o: EvaluationSetup & { readonly told: Told; readonly signal?: AbortSignal },
): Promise<EvalSummary> {
  const { conditions, beside, vocabulary } = o;
  const asking = {
    processor: session.processor,
    prompt: session.prompt,
    tools: session.tools.evaluation,
    maxCompletionLength: conditions.decoding!.max_completion_length,
    checkpoint: stepName(at.step),
    ...(o.signal === undefined ? {} : { signal: o.signal }),
  };
  const { variant, validation } = await paradigmAtTest(recipe, async (examples) => {
    const { summary } = await evaluatePolicy(session.engine.policy, examples, { ...asking, train: null });
    return summary.subsets.overall!.accuracy.estimate;
  });
  const questions = session.evaluation!.map((example) => (variant === null ? example : { ...example, variant }));
  const others = await answersWithOtherImages(recipe, questions, (examples) => {
    return answerQuestions(session.engine.policy, examples, asking);
  });
  const evaluated = await evaluatePolicy(session.engine.policy, questions, {
    ...asking,
    train: session.train,
    copies: session.copies,
    conditions,
    tuningTrials: recipe.tuning_trials,
    onProgress: (done, total) => o.told.notice({ notice: "evaluating", done, total }),
    subgroups: o.subgroups,
    ...o.fitted,
    beside: { ...beside, ...others, ...untunedAnswers(session, run, at.step) },
    ...(vocabulary === undefined ? {} : { vocabulary }),
  });
  const { items } = evaluated;
  const chosen = variant === null ? {} : { paradigm: { name: variant.name, ...(validation && { validation }) } };
  const summary = { ...evaluated.summary, ...chosen };
  o.told.evaluation({ ...at, items, summary });
  return summary;
}

/** The same questions with solved training examples before them, as often as the recipe asks. */
async function askWithShots(
  recipe: Recipe,
  session: Session,
  at: At,
  { conditions, ...o }: EvaluationSetup & { readonly told: Told; readonly signal?: AbortSignal },
): Promise<void> {
  const { engine, processor, prompt, evaluation, train } = session;
  for (const count of recipe.evaluate!.shots) {
    const { items } = await evaluatePolicy(engine.policy, evaluation!, {
      ...{ processor, prompt, checkpoint: stepName(at.step), train: null },
      maxCompletionLength: conditions.decoding!.max_completion_length,
      shots: shotsFrom(train, { count, seed: recipe.seed }),
      onProgress: (done, total) => o.told.notice({ notice: "evaluating", done, total }),
      ...(o.signal === undefined ? {} : { signal: o.signal }),
    });
    o.told.shots({ ...at, ...shotFigures(count, items) });
  }
}
