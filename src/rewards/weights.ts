/** Weights of rewards, which may move over the steps of a stage: a weight is a function of the step alone. */
import { UserError } from "../core/errors.ts";
import type { Reward } from "./reward.ts";

/** A number, or one that moves in a straight line: `from` until step `start`, `to` from step `start + steps` on. */
export type Weight =
  | number
  | { readonly from: number; readonly to: number; readonly steps: number; readonly start?: number | undefined };

export interface WeightedReward {
  readonly reward: Reward;
  readonly weight: number;
}

export interface ScheduledReward {
  readonly reward: Reward;
  readonly weight: Weight;
}

/** The rewards with their weights at a step of the stage, counted from 0. */
export function rewardsAt(rewards: readonly ScheduledReward[], step: number): readonly WeightedReward[] {
  return rewards.map(({ reward, weight }) => ({ reward, weight: weightAt(weight, step) }));
}

/** A weight at a step of the stage, counted from 0. */
export function weightAt(weight: Weight, step: number): number {
  if (typeof weight === "number") return weight;
  const { from, to, steps, start = 0 } = weight;
  const share = Math.min(1, Math.max(0, (step - start) / steps));
  return share === 1 ? to : from + (to - from) * share;
}

/** The weight as a recipe gives it; throws UserError that names the reward. */
export function readWeight(name: string, weight: unknown): Weight {
  if (typeof weight === "number" && Number.isFinite(weight)) return weight;
  const fail = (what: string): never => {
    throw new UserError(`reward "${name}": ${what}`);
  };
  if (typeof weight !== "object" || weight === null) return fail(`the weight must be a finite number, got ${weight}`);
  const { from, to, steps, start = 0, ...others } = weight as Record<string, unknown>;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) return fail(`a weight has from, to, steps and start, and no ${unknown}`);
  if (!Number.isFinite(from) || !Number.isFinite(to)) return fail("a weight that moves needs the numbers from and to");
  if (!Number.isInteger(steps) || (steps as number) < 1)
    return fail("weight.steps must be a whole number of at least 1");
  if (!Number.isInteger(start) || (start as number) < 0)
    return fail("weight.start must be a whole number of at least 0");
  return { from: from as number, to: to as number, steps: steps as number, start: start as number };
}
