/** Whether what training and evaluation data share stops a run or an evaluation. */
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { type Copies, copiedImages, describeOverlap, findDataset, type Overlap, overlapOf } from "../data/index.ts";
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

/** Questions that a model is asked. */
export interface AskedQuestions {
  /** Of the data set. */
  readonly name: string;
  /** Of the training split it is no surprise that it was trained on. */
  readonly split: string;
  readonly examples: readonly Example[];
  /** Whether one's own data may share subjects with the training data, and what lets them. */
  readonly isAllowed: boolean;
  readonly allow: string;
  /** Training data that the questions were compared with already, and share nothing with. */
  readonly compared?: readonly Example[];
}

/**
 * The warning about what questions share with training data, null for nothing, and the images that are copies; throws UserError
 * where it is a mistake.
 */
export async function judgeOverlap(
  seen: readonly Example[],
  asked: AskedQuestions,
): Promise<{ readonly warning: string | null; readonly copies: Copies }> {
  const known = new Set((asked.compared ?? []).flatMap(({ images }) => images.map(({ path }) => path)));
  const unknown = seen.filter(({ images }) => images.some(({ path }) => !known.has(path)));
  const copies = asked.split === "train" ? new Map() : await copiedImages(unknown, asked.examples);
  const overlap = asked.split === "train" ? null : overlapOf(seen, asked.examples, copies);
  if (overlap === null) return { warning: null, copies };
  if (findDataset(asked.name).isOwn && !asked.isAllowed) refuseOverlap(overlap, "the data asked", asked.allow);
  return { warning: overlapWarning(overlap), copies };
}

/** The warning where it is allowed. */
export function overlapWarning(overlap: Overlap): string {
  return `the evaluation shares with the training data ${describeOverlap(overlap)}: its figures may be remembered answers`;
}
