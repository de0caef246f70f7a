/**
 * Merges adapters by the settings that do best on validation questions: every method with its densities and lambdas, the
 * plain mean always among them. Each candidate is a whole model that is written, asked, and removed again.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../core/errors.ts";
import type { Recipe } from "../recipes/schema.ts";
import type { SourceOptions } from "../session/sources.ts";
import { adapterSources, newFolder, withAdapters } from "./adapters.ts";
import { evaluateFolder } from "./evaluate-folder.ts";
import { writeFolder } from "./export.ts";
import { type MergingOptions, writeMerged } from "./merge.ts";
import type { MergeMethod } from "./methods.ts";

/** What is searched (ours): λ from 0.2 to 2, densities about the 0.2 of TIES and the 0.5 of PEFT. */
const LAMBDAS = [0.2, 0.4, 0.7, 1, 1.4, 2];
const DENSITIES = [0.2, 0.5, 0.8];

/** A setting and what it came to on the validation questions. */
export interface MergeCandidate {
  readonly method: MergeMethod;
  /** null for methods without one. */
  readonly density: number | null;
  readonly lambda: number;
  readonly accuracy: number;
}

export interface ChooseOptions extends SourceOptions {
  readonly out: string;
  readonly methods: readonly MergeMethod[];
  /** What is searched; defaults above. */
  readonly lambdas?: readonly number[];
  readonly densities?: readonly number[];
  readonly adapterWeights: readonly number[];
  /** Its data.eval is what is asked, its prompt how. */
  readonly recipe: Recipe;
  readonly onCandidate: (candidate: MergeCandidate) => void;
}

export interface Chosen {
  readonly out: string;
  readonly chosen: MergeCandidate;
  /** In the order in which they were tried. */
  readonly table: readonly MergeCandidate[];
}

/** The settings that are tried: the plain mean first. */
export function candidatesOf({
  methods,
  lambdas = LAMBDAS,
  densities = DENSITIES,
}: Pick<ChooseOptions, "methods" | "lambdas" | "densities">): readonly Omit<MergeCandidate, "accuracy">[] {
  const all = methods.flatMap((method) => {
    const shares = method === "ties" || method === "dare_ties" ? densities : [null];
    return shares.flatMap((density) => lambdas.map((lambda) => ({ method, density, lambda })));
  });
  const isPlain = ({ method, lambda }: (typeof all)[number]) => method === "mean" && lambda === 1;
  return [{ method: "mean", density: null, lambda: 1 }, ...all.filter((one) => !isPlain(one))];
}

/** Tries all settings and writes the best; of equals the earliest, so that the mean stays unless another is better. */
export async function chooseMerge(paths: readonly string[], o: ChooseOptions): Promise<Chosen> {
  if (o.recipe.data.eval === null)
    throw new UserError("--choose-by: the recipe needs data.eval, the validation questions");
  const sources = await adapterSources(paths, o);
  const out = newFolder(o.out);
  const table: MergeCandidate[] = [];
  const write = (folder: string, { method, density, lambda }: Omit<MergeCandidate, "accuracy">) => {
    const merging: MergingOptions = { method, adapterWeights: o.adapterWeights, density: density ?? 1, lambda };
    withAdapters(sources, (opened) => writeMerged(folder, opened, merging));
  };
  const scratch = mkdtempSync(join(tmpdir(), "viva-merge-"));
  try {
    for (const [i, candidate] of candidatesOf(o).entries()) {
      const folder = join(scratch, String(i));
      writeFolder(folder, (draft) => write(draft, candidate));
      const { summary } = await evaluateFolder(folder, o.recipe, o);
      rmSync(folder, { recursive: true });
      table.push({ ...candidate, accuracy: summary.subsets.overall!.accuracy.estimate });
      o.onCandidate(table.at(-1)!);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const chosen = table.reduce((best, one) => (one.accuracy > best.accuracy ? one : best));
  writeFolder(out, (draft) => write(draft, chosen));
  return { out, chosen, table };
}
