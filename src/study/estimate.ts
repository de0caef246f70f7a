/** Estimates how long a study's runs take: times a few steps of every kind of stage, and corrects by finished runs. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { meanOf } from "../core/mean.ts";
import { evaluatePolicy } from "../evaluate/index.ts";
import type { RunObserver } from "../pipeline/observers/observer.ts";
import { trainRecipe } from "../pipeline/train-recipe.ts";
import { resolvedYaml } from "../recipes/load.ts";
import type { Recipe, Stage } from "../recipes/schema.ts";
import { evaluationLength, needsOf, stepsOf } from "../recipes/stage-kinds.ts";
import { environment } from "../runs/environment.ts";
import { createRun } from "../runs/run-folder.ts";
import { openSession, type Session } from "../session/session.ts";
import type { PlannedRun } from "./plan.ts";

/** Seconds of a kind of stage. */
export interface StageTiming {
  /** Reading data, opening and compiling, the last checkpoint: once per run. */
  readonly start: number;
  readonly step: number;
  readonly evaluation: number;
  /** Number of training examples, to convert epochs to steps. */
  readonly examples: number;
}

/** By kind of stage, keyed by `timingKey`. */
export type Timings = Readonly<Record<string, StageTiming>>;

/** Steps timed, after one that compiles. */
const TIMED_STEPS = 2;
/** Questions answered to time an evaluation, which is extrapolated. */
const TIMED_QUESTIONS = 64;
/** Stages of a kind to try until one can be timed. */
const TRIES = 3;
/**
 * Keys of a stage that do not affect the time of a step; rewards that call a service are only accounted for once the
 * first run has ended.
 */
const timeless = new Set<string>([
  ...["steps", "epochs", "learning_rate", "lr_scheduler_type", "warmup_steps", "weight_decay", "max_grad_norm"],
  ...["adam_beta1", "adam_beta2", "adam_epsilon", "scale_rewards", "loss_type", "advantage", "token_loss"],
  ...["epsilon", "epsilon_high", "delta", "rewards", "kind", "kl_estimator", "importance_sampling_level"],
]);

/** Equal for stages whose steps cost the same. */
export function timingKey({ model, engine, data, prompt, image }: Recipe, stage: Stage): string {
  const { reference } = needsOf(stage);
  const sizes = Object.entries(stage).filter(([key]) => !timeless.has(key) && key !== "beta");
  return JSON.stringify([model, engine, data, prompt, image, reference, sizes]);
}

/** Times one stage of a recipe, like `timeStage`, in this or another process. */
export type TimeStage = (recipe: Recipe, stage: Stage) => Promise<StageTiming>;

export interface TimingOptions {
  readonly time: TimeStage;
  readonly signal: AbortSignal;
  readonly onProbe: (done: number, of: number) => void;
}

/**
 * Times stages missing from `known`, without touching the runs. A stage that fails is skipped: its run will report why.
 */
export async function timeStages(runs: readonly PlannedRun[], known: Timings, o: TimingOptions): Promise<Timings> {
  const missing = new Map<string, (readonly [Recipe, Stage])[]>();
  for (const { recipe, inherited } of runs) {
    for (const stage of recipe.stages.slice(inherited)) {
      const key = timingKey(recipe, stage);
      if (known[key] === undefined) missing.set(key, [...(missing.get(key) ?? []), [recipe, stage]]);
    }
  }
  const found: Record<string, StageTiming> = { ...known };
  for (const [i, [key, alike]] of [...missing].entries()) {
    o.onProbe(i, missing.size);
    for (const [recipe, stage] of alike.slice(0, TRIES)) {
      o.signal.throwIfAborted();
      try {
        found[key] = await o.time(recipe, stage);
        break;
      } catch {
        o.signal.throwIfAborted();
      }
    }
  }
  return found;
}

/** Seconds of a run by its stages' timings. */
export function estimateRun({ recipe, inherited }: PlannedRun, timings: Timings): number {
  let seconds = 0;
  let global = 0;
  for (const [i, stage] of recipe.stages.entries()) {
    const { start, step, evaluation, examples } = timings[timingKey(recipe, stage)] ?? { ...NONE };
    const steps = stepsOf(stage, { examples, pairs: examples, images: examples });
    const [from, to] = [global, global + steps];
    global = to;
    if (i < inherited) continue;
    const every = recipe.evaluate?.every ?? null;
    const between = every === null ? 0 : Math.floor(to / every) - Math.floor(from / every) - (to % every === 0 ? 1 : 0);
    const evaluations = recipe.evaluate === null ? 0 : 1 + between + (i === 0 && recipe.evaluate.at_start ? 1 : 0);
    seconds += (i === inherited ? start : 0) + steps * step + evaluations * evaluation;
  }
  return seconds;
}

const NONE: StageTiming = { start: 0, step: 0, evaluation: 0, examples: 1 };

/**
 * Seconds that the unfinished runs will take: the time of the same arm with another seed, else the estimate times the
 * ratio of actual to estimated time so far.
 */
export function remainingSeconds(
  runs: readonly PlannedRun[],
  estimates: ReadonlyMap<string, number>,
  finished: ReadonlyMap<string, number>,
): number {
  const done = runs.filter(({ folder }) => finished.has(folder));
  const sum = (of: (run: PlannedRun) => number) => done.reduce((total, run) => total + of(run), 0);
  const off =
    done.length === 0 ? 1 : sum(({ folder }) => finished.get(folder)!) / sum((run) => estimates.get(run.folder)!);
  return runs
    .filter(({ folder }) => !finished.has(folder))
    .reduce((total, run) => {
      const same = done.filter((other) => other.arm === run.arm && other.arm !== null);
      const seconds = same.map(({ folder }) => finished.get(folder)!);
      if (seconds.length > 0) return total + meanOf(seconds);
      return total + estimates.get(run.folder)! * (Number.isFinite(off) ? off : 1);
    }, 0);
}

/** Times a few steps and answers of a stage, in this process and a temporary folder. */
export async function timeStage(whole: Recipe, stage: Stage, signal: AbortSignal): Promise<StageTiming> {
  const steps = TIMED_STEPS + 1;
  const short = ("epochs" in stage ? { ...stage, epochs: null, steps } : { ...stage, steps }) as Stage;
  const { model } = whole;
  // Adapters on weights that another run has yet to train cannot be timed; training all weights is used instead.
  const tried = model.init === "random" ? { ...model, lora: null, quantize_frozen: null } : model;
  const recipe: Recipe = {
    ...whole,
    model: tried,
    stages: [short],
    evaluate: null,
    checkpoint: { every: null, keep: 1, best: null },
    alarms: null,
  };
  const folder = mkdtempSync(join(tmpdir(), "viva-timing-"));
  const clock: number[] = [performance.now()];
  const stopwatch: RunObserver = { step: () => void clock.push(performance.now()) };
  try {
    const session = await openSession(recipe, folder);
    try {
      const run = createRun(folder, { recipeYaml: resolvedYaml(recipe), environment: environment([]) });
      try {
        await trainRecipe(recipe, session, run, { observers: [stopwatch], resume: false, signal });
      } finally {
        run.close();
      }
      const ended = performance.now();
      const step = (clock.at(-1)! - clock[1]!) / TIMED_STEPS / 1000;
      return {
        start: (ended - clock[0]!) / 1000 - steps * step,
        step,
        evaluation: whole.evaluate === null ? 0 : await timeEvaluation(whole, session, signal),
        examples: session.train.length,
      };
    } finally {
      await session.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function timeEvaluation(recipe: Recipe, session: Session, signal: AbortSignal): Promise<number> {
  const all = session.evaluation ?? [];
  const some = all.slice(0, TIMED_QUESTIONS);
  if (some.length === 0) return 0;
  const { processor, prompt, train, engine } = session;
  const maxCompletionLength = evaluationLength(recipe);
  const started = performance.now();
  await evaluatePolicy(engine.policy, some, { processor, prompt, train, maxCompletionLength, checkpoint: "", signal });
  return ((performance.now() - started) / 1000) * (all.length / some.length);
}
