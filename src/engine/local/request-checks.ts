/**
 * What a model cannot be asked, whatever is computed: tokens it does not have, more of them than its context holds, updates that
 * its weights do not take.
 */
import { UserError } from "../../core/errors.ts";
import type { Model } from "../../models/model.ts";
import {
  type OptimStep,
  refusesAdapters,
  refusesDevice,
  type ScoredCompletions,
  type TrainingGroup,
} from "../engine.ts";
import { atToken } from "../token-values.ts";

export function checkGroups(model: Model, groups: readonly TrainingGroup[]): void {
  for (const { prompt, completions, inPlace } of groups) {
    checkTokens(model, prompt.tokenIds);
    for (const { tokenIds } of completions) checkContext(model, prompt.tokenIds.length, tokenIds.length);
    for (const { tokenIds } of completions) checkTokens(model, tokenIds);
    if (inPlace === undefined) continue;
    checkContext(model, prompt.tokenIds.length, 0);
    checkTokens(model, inPlace.tokenIds);
  }
}

export function checkScored(model: Model, groups: readonly ScoredCompletions[]): void {
  const weightless = ({ prompt, completions }: ScoredCompletions): TrainingGroup => {
    return { prompt, completions: completions.map((tokenIds) => ({ tokenIds, weight: 0, advantage: 0 })) };
  };
  checkGroups(model, groups.map(weightless));
}

/** Under a distribution without the marks of images a loss on one would be a number without meaning. */
export function requireNoMarks(model: Model, groups: readonly TrainingGroup[]): void {
  const marks = new Set(model.visionTokenIds);
  for (const { completions, inPlace } of groups) {
    for (const { tokenIds, weight } of inPlace === undefined ? completions : [inPlace, ...completions]) {
      const at = tokenIds.findIndex((id, i) => marks.has(id) && atToken(weight, i) !== 0);
      if (at < 0) continue;
      throw new UserError(`token ${tokenIds[at]} marks an image, which the model never predicts: give it weight 0`);
    }
  }
}

/** Ids outside the vocabulary would be read from elsewhere in memory. */
export function checkTokens(model: Model, ids: Int32Array): void {
  const { vocabularySize } = model.language;
  const unknown = ids.find((id) => id < 0 || id >= vocabularySize);
  if (unknown === undefined) return;
  throw new UserError(`token ${unknown} is not in the model's vocabulary of ${vocabularySize} tokens`);
}

export function checkContext(model: Model, promptLength: number, completionLength: number): void {
  const { maxPositions } = model.language;
  if (promptLength + completionLength > maxPositions) {
    throw new UserError(
      `a prompt of ${promptLength} tokens and a completion of ${completionLength} do not fit the model's context of ${maxPositions} tokens; lower max_completion_length or the image size`,
    );
  }
}

/** Throws UserError for masks where adapters are trained, and where weights lie on a device. */
export function checkUpdate(
  { importanceMasking: mask = "none" }: OptimStep,
  { isAdapter, device }: { readonly isAdapter: boolean; readonly device: string | null },
): void {
  if (mask === "none") return;
  if (isAdapter) throw new UserError(refusesAdapters(mask));
  if (device !== null) throw new UserError(refusesDevice(mask, device));
}
