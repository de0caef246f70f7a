/** Preference pairs from a file: the JSONL format of data sets, each row with `chosen` and `rejected` besides. */
import { FEWEST_WORDS } from "../answers/length-limits.ts";
import { UserError } from "../core/errors.ts";
import { type DataSpec, loadDataset } from "../data/index.ts";
import type { PairStage } from "../recipes/schema.ts";
import { needsOf } from "../recipes/stage-kinds.ts";
import type { SkippedExample } from "../train/batches.ts";
import { hasRows } from "../train/pair-rows.ts";
import { lengthsOf, type PreferencePair } from "../train/pair-sources.ts";

export interface UsablePairs {
  readonly pairs: readonly PreferencePair[];
  readonly skipped: readonly SkippedExample[];
}

/** Reads the pairs; throws UserError naming file and example where a text is missing or both are the same. */
export async function loadPairs(file: string, o: Pick<DataSpec, "view"> = {}): Promise<readonly PreferencePair[]> {
  const examples = await loadDataset({ ...o, name: "jsonl", path: file });
  return examples.map((example) => {
    const text = (key: string): string => {
      const value = example.meta[key];
      if (value !== undefined && value.trim() !== "") return value;
      throw new UserError(`${file}: "${example.id}" has no "${key}": each row needs chosen and rejected, two texts`);
    };
    const pair = { example, chosen: text("chosen"), rejected: text("rejected") };
    if (pair.chosen === pair.rejected) {
      throw new UserError(`${file}: "${example.id}": chosen and rejected are the same text, which prefers nothing`);
    }
    return pair;
  });
}

/** The pairs that a stage can learn from, and those it leaves out; UserError where it cannot learn from these at all. */
export function usablePairs(stage: PairStage, all: readonly PreferencePair[]): UsablePairs {
  const { roles } = needsOf(stage);
  const pairs = all.filter((pair) => hasRows(roles, pair));
  const at = `${stage.pairs}: kind ${stage.kind}`;
  const blind = all.find(({ example }) => example.images.length === 0);
  if (roles.includes("chosen_corrupted") && blind !== undefined) {
    throw new UserError(`${at} compares images with corrupted ones, and "${blind.example.id}" has no image`);
  }
  const tooShort = `a text of fewer than ${FEWEST_WORDS} words, for which there is no limit of length`;
  if (pairs.length === 0) throw new UserError(`${at}: every pair has ${tooShort}`);
  const left = all.filter((pair) => !pairs.includes(pair));
  const skipped = left.map(({ example }) => ({ example_id: example.id, reason: `${at}: ${tooShort}` }));
  const sides = new Set(pairs.map(lengthsOf).map(({ chosen, rejected }) => Math.sign(chosen - rejected)));
  if (stage.pair_balance === "none" || (sides.has(1) && sides.has(-1))) return { pairs, skipped };
  const missing = sides.has(1) ? "shorter" : "longer";
  throw new UserError(
    `${stage.pairs}: pair_balance: length has nothing to balance: no pair's chosen text is the ${missing} one`,
  );
}
