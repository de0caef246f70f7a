/** Access to values given per completion or per token; every engine checks their lengths with this. */
import type { TokenValues } from "../core/records.ts";
import type { TrainingCompletion, TrainingGroup } from "./engine.ts";

/** The value at a completion's token. */
export function atToken(values: TokenValues, token: number): number {
  return typeof values === "number" ? values : values[token]!;
}

/** Throws where per-token values do not match the number of the completion's tokens. */
export function requireTokenValues(groups: readonly TrainingGroup[]): void {
  for (const [group, { completions, inPlace }] of groups.entries()) {
    if (inPlace !== undefined) requireOnePerToken(inPlace, `groups[${group}].inPlace`);
    for (const [i, completion] of completions.entries()) {
      requireOnePerToken(completion, `groups[${group}].completions[${i}]`);
    }
  }
}

function requireOnePerToken(completion: TrainingCompletion, where: string): void {
  const { tokenIds, weight, advantage, entropyWeight = 0, mask = 0 } = completion;
  for (const [name, values] of Object.entries({ weight, advantage, entropyWeight, mask })) {
    if (typeof values === "number" || values.length === tokenIds.length) continue;
    throw new Error(
      `forwardBackward: ${where}.${name} must have one value per token, ${tokenIds.length}, got ${values.length}`,
    );
  }
}
