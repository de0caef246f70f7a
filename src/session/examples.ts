/** The examples that a recipe names, and those left out because their image cannot be used. */
import { messageOf, UserError } from "../core/errors.ts";
import { permutation, randomKey } from "../core/random.ts";
import type { Example } from "../core/records.ts";
import { type DataNotice, findDataset, loadDataset, missingImages } from "../data/index.ts";
import { decodeImage } from "../io/images.ts";
import { viewOf, whereOf } from "../recipes/datasets.ts";
import type { DatasetSpec, Recipe } from "../recipes/schema.ts";
import type { SkippedExample } from "../train/batches.ts";
import { locateDataset, type SourceOptions } from "./sources.ts";
import { tableTeller } from "./tables.ts";

/** Examples, and those left out. */
export interface LoadedExamples<T> {
  readonly examples: T;
  readonly skipped: readonly SkippedExample[];
  /** Of what the data set itself left out. */
  readonly notices: readonly DataNotice[];
}

/** A data set without the examples whose image file is missing, where the recipe wants them skipped. */
export async function loadExamples(spec: DatasetSpec, recipe: Recipe): Promise<LoadedExamples<readonly Example[]>> {
  const { on_bad_image, image_disjoint } = recipe.data;
  const options = { ...datasetOptions(spec, recipe.seed, on_bad_image), imageDisjoint: image_disjoint };
  const bad = on_bad_image === "skip" ? await missingImages(options) : [];
  const skipped = bad.map(({ exampleId, path, reason }) => {
    return { example_id: exampleId, reason: `image ${path}: ${reason}` };
  });
  const notices: DataNotice[] = [];
  const loaded = await loadDataset({ ...options, onNotice: (notice) => notices.push(notice) });
  const examples = spec.table === null ? loaded : await withTables(spec.table, loaded, recipe);
  return { examples, skipped, notices };
}

/** A recipe's training data, from where its path leads. Throws UserError where they cannot be read. */
export async function trainingExamples(recipe: Recipe, o: SourceOptions = {}): Promise<readonly Example[]> {
  return (await loadExamples(await specHere(recipe.data.train, "data.train.path", o), recipe)).examples;
}

/** A data set by where its path leads; `key` is the path's in the recipe. */
export async function specHere(spec: DatasetSpec, key: string, o: SourceOptions): Promise<DatasetSpec> {
  const { path, revision } = spec;
  return {
    ...spec,
    path: path === null ? null : (await locateDataset(path, { ...o, key, revision })).folder,
    revision: null,
  };
}

/** Whether loading a data set runs a module of the user's own. */
export function runsModule(spec: DatasetSpec): boolean {
  return findDataset(spec.name).runsModule?.(datasetOptions(spec, 0, "error").own) ?? false;
}

/** What is evaluated, each image decoded once: one that is damaged must not stop the run at its first evaluation. */
export async function loadEvaluation(recipe: Recipe): Promise<LoadedExamples<readonly Example[] | null>> {
  const { eval: spec, on_bad_image } = recipe.data;
  if (spec === null) return { examples: null, skipped: [], notices: [] };
  const loaded = await loadExamples(spec, recipe);
  const chosen = evaluationSubset(loaded.examples, recipe.evaluate?.limit ?? null, recipe.seed);
  if (recipe.evaluate === null) return { ...loaded, examples: chosen };
  const problems = new Map<string, string | null>();
  const problemOf = async (path: string) => {
    if (!problems.has(path)) problems.set(path, await decodeImage({ path }).then(() => null, sentenceOf));
    return problems.get(path)!;
  };
  const examples: Example[] = [];
  const skipped: SkippedExample[] = [];
  for (const example of chosen) {
    let reason: string | null = null;
    for (const { path, pixels } of example.images) if (pixels === undefined) reason ??= await problemOf(path);
    if (reason === null) examples.push(example);
    else if (on_bad_image === "skip") skipped.push({ example_id: example.id, reason });
    else throw new UserError(`example "${example.id}": ${reason}`);
  }
  if (examples.length === 0) throw new UserError(`data.eval: "${spec.name}" has no examples to evaluate on`);
  return { ...loaded, examples, skipped: [...loaded.skipped, ...skipped] };
}

/** Tables told as a file says; what it says of telling columns is learned from the training data. */
async function withTables(file: string, examples: readonly Example[], recipe: Recipe): Promise<readonly Example[]> {
  const { table: _, ...spec } = recipe.data.train;
  const { examples: train } = await loadExamples({ ...spec, table: null }, recipe);
  return examples.map(tableTeller(file, train));
}

/** The sentence of a user's mistake; any other error is thrown on. */
function sentenceOf(error: unknown): string {
  if (error instanceof UserError) return messageOf(error);
  throw error;
}

/** A recipe's data set as the data layer takes it: absent keys are absent. */
function datasetOptions(spec: DatasetSpec, seed: number, onBadImage: "error" | "skip") {
  const {
    name,
    path,
    revision: _,
    split,
    limit,
    seed: given,
    image_range: __,
    window: ___,
    table: ____,
    where: _____,
    ...own
  } = spec;
  const where = whereOf(spec);
  return {
    name,
    split,
    seed: given ?? seed,
    onBadImage,
    own,
    ...(path === null ? {} : { path }),
    ...(limit === null ? {} : { limit }),
    ...(where === undefined ? {} : { where }),
    view: viewOf(spec),
  };
}

/** A fixed random subset, so that a small evaluation is not the first patients only. */
export function evaluationSubset(examples: readonly Example[], limit: number | null, seed: number): readonly Example[] {
  if (limit === null || limit >= examples.length) return examples;
  const chosen = permutation(randomKey(seed, "evaluation"), examples.length).slice(0, limit).sort();
  return Array.from(chosen, (i) => examples[i]!);
}
