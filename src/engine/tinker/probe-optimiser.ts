/** Which of the optimiser's numbers a server reads: the same update with each of them changed, from the same state. */
import { toDatum } from "./datum.ts";
import { largestDifference, partWith, probePrompt, probeStep, scoreOf } from "./probe-tools.ts";
import type { RemoteModel, WireLoss } from "./remote-model.ts";

export interface OptimiserFindings {
  /** By the recipe's key, whether changing it changes an update. */
  readonly honours: Readonly<Record<"adam_beta1" | "adam_epsilon" | "weight_decay" | "max_grad_norm", boolean>>;
  /** Whether a state can be loaded with the optimiser's moments, and without them. */
  readonly loadsMoments: boolean;
  readonly resetsMoments: boolean;
}

/** Each far from its usual value. */
const CHANGES = {
  adam_beta1: { beta1: 0.1 },
  adam_epsilon: { epsilon: 1 },
  weight_decay: { weightDecay: 20 },
  max_grad_norm: { maxGradNorm: 1e-9 },
} as const;

/** Smaller differences, as a share of the update's own, are rounding. */
const NOTICED = 0.01;

/**
 * `living` is the model in the state that was saved, and `reborn` gives a new model in it, with or without its moments;
 * `before`: log-probs in that state.
 */
export async function probeOptimiser(
  living: RemoteModel,
  reborn: (optimizer: boolean) => Promise<RemoteModel>,
  o: { readonly loss: WireLoss; readonly before: Float32Array },
): Promise<OptimiserFindings> {
  const updatedOn = async (model: RemoteModel, change: object) => {
    const item = partWith([1, -1, 1, -1], o.before); // not the state's own gradient, which its moments would not be seen beside
    await model.forwardBackward([toDatum(item, 1)], o.loss);
    await model.optimStep({ ...probeStep, ...change });
    return scoreOf(model, { prompt: probePrompt, tokenIds: item.tokenIds, loss: o.loss });
  };
  const updated = async (change: object, optimizer = true) => updatedOn(await reborn(optimizer), change);
  const unbroken = await updatedOn(living, {});
  const usual = await updated({});
  const moved = largestDifference(usual, o.before);
  const differs = (logProbs: Float32Array, other = usual) => largestDifference(logProbs, other) > NOTICED * moved;
  const honours: Record<string, boolean> = {};
  for (const [key, change] of Object.entries(CHANGES)) honours[key] = differs(await updated(change));
  const loadsMoments = !differs(usual, unbroken);
  const resetsMoments = differs(await updated({}, false), unbroken);
  return { honours: honours as OptimiserFindings["honours"], loadsMoments, resetsMoments };
}
