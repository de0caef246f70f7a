/** Preference pairs from a file: the JSONL format of data sets, each row with `chosen` and `rejected` besides. */
import { UserError } from "../core/errors.ts";
import { type DataSpec, loadDataset } from "../data/index.ts";
import type { PreferencePair } from "../train/dpo.ts";

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
