/** Access to values given per completion or per token; every engine checks their lengths with this. */
import type { TokenValues, TrainingGroup } from "./engine.ts";

/** The value at a completion's token. */
export function atToken(values: TokenValues, token: number): number {
  return typeof values === "number" ? values : values[token]!;
}

/** Throws where per-token values do not match the number of the completion's tokens. */
export function requireTokenValues(groups: readonly TrainingGroup[]): void {
  for (const [group, { completions }] of groups.entries()) {
    for (const [i, { tokenIds, weight, advantage, entropyWeight = 0 }] of completions.entries()) {
      for (const [name, values] of Object.entries({ weight, advantage, entropyWeight })) {
        if (typeof values === "number" || values.length === tokenIds.length) continue;
        throw new Error(
          `forwardBackward: groups[${group}].completions[${i}].${name} must have one value per token, ${tokenIds.length}, got ${values.length}`,
        );
      }
    }
  }
}
