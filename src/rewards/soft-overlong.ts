/** Soft overlong punishment (DAPO, arXiv 2503.14476, equation 13): completions near the limit lose up to 1. */
import { z } from "zod";
import { UserError } from "../core/errors.ts";
import { defineReward, lengthLimit } from "./options.ts";
import type { Reward } from "./reward.ts";

const softOverlongOptions = z.object({
  /** Lmax in tokens; the stage's max_completion_length unless given. */
  max_length: z.int().positive().optional(),
  /** C in tokens: where the punishment begins, before Lmax. A fifth of Lmax unless given, as in DAPO. */
  soft_punish_cache: z.int().positive().optional(),
});

/** 0 up to Lmax − C, then (Lmax − C − L)/C, and −1 beyond Lmax. */
export const softOverlong = defineReward("soft_overlong", softOverlongOptions, (given, context): Reward => {
  const limit = lengthLimit("soft_overlong", "max_length", given.max_length, context);
  const cache = given.soft_punish_cache ?? Math.max(1, Math.round(limit / 5));
  if (cache > limit) {
    throw new UserError(`reward "soft_overlong": soft_punish_cache ${cache} must not be above max_length ${limit}`);
  }
  return {
    name: "soft_overlong",
    measuresLength: true,
    range: [-1, 0],
    score: (_, completions) =>
      completions.map(({ tokenIds: { length } }) => {
        if (length <= limit - cache) return 0;
        return length > limit ? -1 : (limit - cache - length) / cache;
      }),
  };
});
