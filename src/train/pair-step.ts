/** One step on pairs of completions, by any pairwise algorithm: DPO and its relatives, and reward models. */
import {
  balanceWeights,
  pairLoss,
  pairwiseAlgorithm,
  type Role,
  type RoleScores,
} from "../algorithms/pairwise/index.ts";
import { meanMetric } from "../core/mean.ts";
import type { RolloutGroup } from "../core/records.ts";
import { deviceMetrics } from "../engine/optim-step.ts";
import type { Metrics } from "../runs/metrics.ts";
import { type StepPosition, type TrainingContext, timed } from "./context.ts";
import { type RoleRows, rowsOf } from "./pair-rows.ts";
import { lengthsOf, type PairBatch, type PairSource, pairsAt, textsOf } from "./pair-sources.ts";
import { readouts } from "./readouts.ts";
import { optimiserAt, type PairSettings } from "./settings.ts";

export interface PairStepResult {
  readonly metrics: Metrics;
  /** Ids of the examples it saw. */
  readonly examples: readonly string[];
  /** What was sampled; the advantage of the chosen completion is 1, of the rejected one −1. */
  readonly groups: readonly RolloutGroup[];
}

/** One optimiser step on the pairs of this position. */
export async function pairStep(
  context: TrainingContext,
  settings: PairSettings,
  source: PairSource,
  position: StepPosition,
): Promise<PairStepResult> {
  const started = performance.now();
  const batch = await pairsAt(context, settings, source, position);
  const { value, seconds } = await timed(() => updateOnPairs(context, settings, batch, position));
  const { examples, groups } = batch;
  return { examples, groups, metrics: { ...value, ...batch.metrics(started, seconds) } };
}

/** A pass without gradients gives the numbers of all rows, the loss its derivative by them, and a second pass the gradient. */
async function updateOnPairs(
  context: TrainingContext,
  settings: PairSettings,
  batch: PairBatch,
  { index }: StepPosition,
): Promise<Metrics> {
  const { engine, steps } = context;
  const algorithm = pairwiseAlgorithm(settings.kind);
  const readout = readouts[algorithm.readout];
  const { beta = 1, corrupt = "crop" } = settings;
  const o = { corrupt, others: batch.others };
  const rows = await Promise.all(batch.pairs.map((pair) => rowsOf(context, algorithm.roles, pair, o)));
  const groups = rows.flat().map(({ prompt, rows }) => ({ prompt, completions: rows.map(({ tokenIds }) => tokenIds) }));
  const found = await readout.scores(engine, groups, beta);
  const scores = byRole(algorithm.roles, rows.flat(), found);
  const weights = weightsOf(batch, settings).map((weight) => weight / batch.pairs.length);
  const { loss, gradients } = pairLoss(algorithm, scores, weights, { ...settings });
  const told = await readout.backward(engine, groups, inOrder(rows.flat(), gradients), beta);
  const optimiser = optimiserAt(settings, index, steps);
  const update = await engine.optimStep(optimiser);
  return {
    loss,
    ...pairMetrics(batch, scores),
    ...told,
    "optim/grad_norm": update.gradNorm,
    ...deviceMetrics([update]),
    "optim/learning_rate": optimiser.learningRate,
  };
}

/** Of the batch's pairs, in order, by the lengths of all pairs there are. */
function weightsOf({ pairs, balanceOver }: PairBatch, { pair_balance }: PairSettings): readonly number[] {
  const keyOf = ({ chosen, rejected }: { readonly chosen: number; readonly rejected: number }) =>
    Math.sign(chosen - rejected);
  const all = balanceWeights(balanceOver, pair_balance);
  const bySide = new Map(balanceOver.map((pair, i) => [keyOf(pair), all[i]!]));
  return pairs.map((pair) => bySide.get(keyOf(lengthsOf(textsOf(pair))))!);
}

/** Numbers of all rows, as they lie, by role: each role once per pair. */
function byRole(roles: readonly Role[], groups: readonly RoleRows[], numbers: readonly number[]): RoleScores {
  const found = Object.fromEntries(roles.map((role) => [role, [] as number[]]));
  const rows = groups.flatMap((group) => group.rows);
  for (const [i, { role }] of rows.entries()) found[role]!.push(numbers[i]!);
  return found;
}

/** The other way about. */
function inOrder(groups: readonly RoleRows[], values: RoleScores): readonly number[] {
  const next = new Map<Role, number>();
  return groups
    .flatMap((group) => group.rows)
    .map(({ role }) => {
      const at = next.get(role) ?? 0;
      next.set(role, at + 1);
      return values[role]![at]!;
    });
}

function pairMetrics({ pairs }: PairBatch, scores: RoleScores): Metrics {
  const margins = scores.chosen!.map((chosen, i) => chosen - scores.rejected![i]!);
  const byRoles = Object.entries(scores).map(([role, values]) => meanMetric(`preference/reward_${role}`, values));
  const lengths = pairs.map((pair) => lengthsOf(textsOf(pair)));
  return {
    "preference/pairs": pairs.length,
    ...Object.assign({}, ...byRoles),
    ...meanMetric("preference/margin", margins),
    ...meanMetric(
      "preference/accuracy",
      margins.map((margin) => Number(margin > 0)),
    ),
    ...meanMetric(
      "preference/chosen_longer",
      lengths.map(({ chosen, rejected }) => Number(chosen > rejected)),
    ),
  };
}
