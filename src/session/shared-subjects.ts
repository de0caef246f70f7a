/** Whether what training and evaluation data share stops a run or an evaluation. */
import { UserError } from "../core/errors.ts";
import { describeOverlap, findDataset, type Overlap } from "../data/index.ts";
import type { Recipe } from "../recipes/schema.ts";

export type { Overlap } from "../data/index.ts";

/** In one's own data it is a mistake until it is allowed; the flaws of a published split are only told. */
export function isMistake({ data }: Recipe): boolean {
  const sets = [data.train, data.eval].flatMap((spec) => (spec === null ? [] : [findDataset(spec.name)]));
  return !data.allow_overlap && sets.some(({ isOwn }) => isOwn === true);
}

/** `what` names the judged data, `allow` what lets it pass. */
export function refuseOverlap(overlap: Overlap, what: string, allow: string): never {
  throw new UserError(
    `${what} shares with the training data ${describeOverlap(overlap)}: give each subject to one split, or set ${allow}`,
  );
}

/** The warning where it is allowed. */
export function overlapWarning(overlap: Overlap): string {
  return `the evaluation shares with the training data ${describeOverlap(overlap)}: its figures may be remembered answers`;
}
