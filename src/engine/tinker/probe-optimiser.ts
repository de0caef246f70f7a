/** Which of the optimiser's numbers a server reads: the same update with each of them changed, from the same state. */
import { toDatum } from "./datum.ts";
import { largestDifference, partWith, probePrompt, probeStep, scoreOf } from "./probe-tools.ts";
import type { RemoteModel, WireLoss } from "./remote-model.ts";

type Key = "adam_beta1" | "adam_epsilon" | "weight_decay" | "max_grad_norm";

export interface OptimiserFindings {
  /** By the recipe's key, whether changing it changes an update; a key that was not tried is absent. */
  readonly honours: Readonly<Partial<Record<Key, boolean>>>;
  /** Whether a state can be loaded with the optimiser's moments, and without them. */
  readonly loadsMoments: boolean;
  readonly resetsMoments: boolean;
}

/** Each far from its usual value. */
const CHANGES = {
  adam_beta1: { beta1: 0.1 },
  adam_epsilon: { epsilon: 1 },
  max_grad_norm: { maxGradNorm: 1e-9 },
  weight_decay: { weightDecay: 20 },
} as const;

/** Takes 2 % of a model's adapters in one step of the probe. */
const SLIGHT_DECAY = { weightDecay: 2 };

/** Smaller differences, as a share of the update's own, are rounding. */
const NOTICED = 0.01;

/**
 * `living` is the model in the state that was saved, and `reborn` gives a new model in it, with or without its moments;
 * `before`: log-probs in that state.
 */
export async function probeOptimiser(
  living: RemoteModel,
  reborn: (optimizer: boolean) => Promise<RemoteModel>,
  o: { readonly loss: WireLoss; readonly before: Float32Array; readonly decays: boolean },
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
  for (const [key, change] of Object.entries(CHANGES)) {
    if (key !== "weight_decay" || o.decays) honours[key] = differs(await updated(change));
  }
  const loadsMoments = !differs(usual, unbroken);
  const resetsMoments = differs(await updated({}, false), unbroken);
  return { honours, loadsMoments, resetsMoments };
}

/**
 * Why weight decay is not to be used; null where it stays with the model that is updated. SkyRL 0.4.0 (JAX) has one array for
 * the adapters of all models and decays the whole of it. `scored`: the log-probs of a model that is left alone.
 */
export async function decayFault(
  create: () => Promise<RemoteModel>,
  scored: () => Promise<Float32Array>,
  fresh: Float32Array,
): Promise<string | null> {
  const before = await scored();
  const other = await create();
  await other.optimStep({ ...probeStep, ...SLIGHT_DECAY });
  await other.unload();
  if (largestDifference(await scored(), before) <= NOTICED * largestDifference(before, fresh)) return null;
  return "the server's weight decay shrinks the adapters of all its models, other clients' too: set it to 0";
}
