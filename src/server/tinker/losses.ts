/**
 * The losses of the Tinker API (tinker-docs.thinkingmachines.ai/losses) as viva's token losses. Each is a sum over tokens;
 * `weights`, 1 where none are sent, multiply a token's loss.
 */
import { plainVariant } from "../../algorithms/algorithm.ts";
import { defaultLossNumbers } from "../../algorithms/index.ts";
import { UserError } from "../../core/errors.ts";
import type { LogProbOptions, TokenBatch } from "../../engine/engine.ts";

/** What a token's loss is computed from. */
export interface TokenTerms {
  readonly logProb: number;
  /** When it was sampled. */
  readonly oldLogProb: number;
  readonly advantage: number;
}

/** A loss with its configuration. */
export interface ChosenLoss {
  /** Arrays that a datum must bring beside its targets. */
  readonly reads: readonly ("logprobs" | "advantages" | "sequence_ratio_mask")[];
  readonly loss: TokenBatch["loss"];
  /** The loss of a token of weight 1. */
  value(t: TokenTerms): number;
}

/** Bounds of the ratio by their names in a loss's configuration. */
type Bounds = Readonly<Record<"clip_low_threshold" | "clip_high_threshold", number>>;

interface TinkerLoss {
  /** Defaults; a key that is not here is refused. */
  readonly config: Readonly<Partial<Bounds>>;
  choose(bounds: Bounds): ChosenLoss;
}

/**
 * One distribution for all that this server scores: that of samples at temperature 1, in which the marks of images are never
 * drawn.
 */
export const scoring: LogProbOptions = { temperature: 1, topP: 1, topK: 0 };

/** Log-probs of tokens that have any; 0 for the marks of images, which a prompt holds but the model never predicts. */
export function withoutMarks(logProbs: Float32Array): Float32Array {
  return logProbs.map((logProb) => (logProb < NEVER ? 0 : logProb));
}

/** Between what float32 logits can give and what the engine adds to those of tokens that are never drawn. */
const NEVER = -1e8;

const thresholds = { clip_low_threshold: 0.8, clip_high_threshold: 1.2 } as const;
const offPolicy = { ...plainVariant, onPolicy: false };
const policy = { reads: ["logprobs", "advantages"] } as const;

/** The clip range of the paper's experiments (arXiv 2507.18071, section 5.1). */
const sequenceThresholds = { clip_low_threshold: 1 - 3e-4, clip_high_threshold: 1 + 4e-4 } as const;

const ratioOf = ({ logProb, oldLogProb }: TokenTerms) => Math.exp(logProb - oldLogProb);
const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high);

const losses: Readonly<Record<string, TinkerLoss>> = {
  cross_entropy: {
    config: {},
    choose: () => ({
      reads: [],
      loss: { name: "supervised", variant: plainVariant, numbers: defaultLossNumbers },
      value: ({ logProb }) => -logProb,
    }),
  },
  importance_sampling: {
    config: {},
    choose: () => ({
      ...policy,
      // Clipping between 0 and infinity clips nothing.
      loss: {
        name: "clip",
        variant: offPolicy,
        numbers: { ...defaultLossNumbers, epsilonLow: 1, epsilonHigh: Number.POSITIVE_INFINITY },
      },
      value: (t) => -ratioOf(t) * t.advantage,
    }),
  },
  ppo: {
    config: thresholds,
    choose: ({ clip_low_threshold: low, clip_high_threshold: high }) => ({
      ...policy,
      loss: {
        name: "clip",
        variant: offPolicy,
        numbers: { ...defaultLossNumbers, epsilonLow: 1 - low, epsilonHigh: high - 1 },
      },
      value: (t) => -Math.min(ratioOf(t) * t.advantage, clamp(ratioOf(t), low, high) * t.advantage),
    }),
  },
  // The ratio is the sequence's: whoever computes this loss puts it in place of the tokens' own (`withSequenceRatio`).
  gspo: {
    config: sequenceThresholds,
    choose: (bounds) => ({
      ...losses["ppo"]!.choose(bounds),
      reads: ["logprobs", "advantages", "sequence_ratio_mask"],
    }),
  },
  cispo: {
    config: thresholds,
    choose: ({ clip_low_threshold: low, clip_high_threshold: high }) => ({
      ...policy,
      loss: {
        name: "cispo",
        variant: offPolicy,
        numbers: { ...defaultLossNumbers, epsilonHigh: high, ratioFloor: low },
      },
      value: (t) => -clamp(ratioOf(t), low, high) * t.advantage * t.logProb,
    }),
  },
};

/** Throws UserError for a loss or a key of its configuration that there is not. */
export function chooseLoss(name: string, config: Readonly<Record<string, number | string>>): ChosenLoss {
  const known = Object.hasOwn(losses, name) ? losses[name] : undefined;
  if (known === undefined) {
    throw new UserError(`loss_fn "${name.slice(0, 60)}" is not supported: ${Object.keys(losses).join(", ")} are`);
  }
  for (const [key, value] of Object.entries(config)) {
    if (!Object.hasOwn(known.config, key)) {
      throw new UserError(`loss_fn_config: ${name} has no "${key.slice(0, 60)}"`);
    }
    if (typeof value !== "number" || !Number.isFinite(value) || value < 0) {
      throw new UserError(`loss_fn_config.${key}: must be a number of at least 0, got ${String(value).slice(0, 60)}`);
    }
  }
  const bounds = { ...thresholds, ...known.config, ...config } as Bounds;
  if (bounds.clip_low_threshold > bounds.clip_high_threshold) {
    throw new UserError("loss_fn_config: clip_low_threshold is above clip_high_threshold");
  }
  return known.choose(bounds);
}
