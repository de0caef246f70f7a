/**
 * From how many training questions on a conventional model does better than the model that is evaluated (after ClinicRealm,
 * arXiv 2407.18525): it is fitted to ever larger random parts of the training data.
 */
import { permutation, randomKey } from "../../core/random.ts";
import type { Example } from "../../core/records.ts";
import { crossedBootstrap } from "../crossed-bootstrap.ts";
import type { ConventionalName, ProtocolName } from "../names.ts";
import { type EvalItem, scoreBaselines } from "../score.ts";
import { conventionalAnswers, type DenseBlock } from "./answering.ts";

export interface ScaleRow {
  readonly model: ConventionalName;
  /** Training questions; those of whole subjects, the last of them in part. */
  readonly n: number;
  /** Random parts that were fitted to. */
  readonly draws: number;
  readonly accuracy: number;
  /** Accuracy less that of the model evaluated, over subjects and draws. */
  readonly difference: { readonly estimate: number; readonly low: number; readonly high: number };
}

export interface ScaleSweep {
  readonly rows: readonly ScaleRow[];
  /** The smallest n from which on every interval lies above 0; null where none does. */
  readonly crossing: Readonly<Record<string, number | null>>;
}

export interface ScaleOptions {
  /** Sizes; null is all. */
  readonly sizes: readonly (number | null)[];
  readonly draws: number;
  readonly seed: number;
  readonly protocol: ProtocolName;
  /** Blocks of features beside the question's words, learned from the training part. */
  readonly blocksOf: (train: readonly Example[]) => readonly DenseBlock[];
}

/** `items` are the evaluated model's answers to the examples, in their order. */
export async function scaleSweep(
  names: readonly ConventionalName[],
  examples: readonly Example[],
  train: readonly Example[],
  items: readonly EvalItem[],
  o: ScaleOptions,
): Promise<ScaleSweep> {
  const sizes = [...new Set(o.sizes.map((size) => Math.min(size ?? train.length, train.length)))].sort((a, b) => a - b);
  const rows: ScaleRow[] = [];
  for (const n of sizes) {
    const draws = n === train.length ? 1 : o.draws;
    const parts = Array.from({ length: draws }, (_, draw) => partOf(train, n, o.seed, draw));
    const fit = async (model: ConventionalName): Promise<ScaleRow> => {
      const values: { subject: string; seed: number; strict: number; value: number }[] = [];
      for (const [seed, part] of parts.entries()) {
        const answers = await conventionalAnswers(model, examples, part, { blocks: o.blocksOf(part), seed });
        const scored = scoreBaselines(examples, { [model]: answers }, o.protocol)[model]!;
        for (const [i, { strict, subject_id }] of scored.entries()) {
          values.push({ subject: subject_id, seed, strict, value: strict - items[i]!.strict });
        }
      }
      const { estimate, low, high } = crossedBootstrap(values)!;
      const accuracy = values.reduce((sum, { strict }) => sum + strict, 0) / values.length;
      return { model, n, draws, accuracy, difference: { estimate, low, high } };
    };
    rows.push(...(await Promise.all(names.map(fit))));
  }
  return { rows, crossing: Object.fromEntries(names.map((model) => [model, crossingOf(rows, model)])) };
}

/** The smallest size from which on all larger ones, and itself, favour the model. */
export function crossingOf(
  rows: readonly Pick<ScaleRow, "model" | "n" | "difference">[],
  model: string,
): number | null {
  const own = rows.filter((row) => row.model === model).sort((a, b) => b.n - a.n);
  let crossing: number | null = null;
  for (const { n, difference } of own) {
    if (difference.low <= 0) break;
    crossing = n;
  }
  return crossing;
}

/** Questions of random subjects until there are n. */
function partOf(train: readonly Example[], n: number, seed: number, draw: number): readonly Example[] {
  if (n === train.length) return train;
  const bySubject = new Map<string, Example[]>();
  for (const example of train) bySubject.set(example.subjectId, [...(bySubject.get(example.subjectId) ?? []), example]);
  const subjects = [...bySubject.values()];
  const part: Example[] = [];
  for (const s of permutation(randomKey(seed, "scale", n, draw), subjects.length)) {
    if (part.length >= n) break;
    part.push(...subjects[s]!.slice(0, n - part.length));
  }
  return part;
}
