/** The datasets a recipe can name, and the one way to load them: a new one is a file and a line here. */
import { UserError } from "../core/errors.ts";
import type { Example, ImageView } from "../core/records.ts";
import { requireNamed } from "../core/suggest.ts";
import { type Dataset, type LoadOptions, readOwn, subset } from "./dataset.ts";
import { disjointSplit } from "./disjoint.ts";
import { files } from "./files.ts";
import { type BadImage, checkImages, describeBadImages } from "./images.ts";
import { jsonl } from "./jsonl.ts";
import { medxpertqaMm } from "./medxpertqa.ts";
import { mixOf } from "./mix.ts";
import { mmmuMedical } from "./mmmu-medical.ts";
import { moduleDataset } from "./module.ts";
import { omnimedvqa } from "./omnimedvqa.ts";
import { pathVqa } from "./path-vqa.ts";
import { phantomDeep } from "./phantom/deep/deep.ts";
import { phantomMosaics } from "./phantom/deep/mosaics.ts";
import { phantomPatients } from "./phantom/deep/patients.ts";
import { phantom } from "./phantom/phantom.ts";
import { phantomLessons } from "./phantom/world/lessons.ts";
import { phantomLooks } from "./phantom/world/looks.ts";
import { phantomReports } from "./phantom/world/reports.ts";
import { phantomImages } from "./phantom/world/unlabelled.ts";
import { phantomWorld } from "./phantom/world/world.ts";
import { pmcVqa } from "./pmc-vqa.ts";
import { slake } from "./slake.ts";
import { vqaRad } from "./vqa-rad.ts";
import { examplesWhere, type Where } from "./where.ts";

export { type Copies, copiedImages } from "./copies.ts";
export { type ImageCorruptionName, imageCorruptions } from "./corrupted-images.ts";
export { type Dataset, type LoadOptions, splitName } from "./dataset.ts";
export { disjointSplit } from "./disjoint.ts";
export { requireKnownFields, requireNoOtherChat } from "./field-names.ts";
export { imageProfiles, imageVectors } from "./image-vectors.ts";
export type { BadImage } from "./images.ts";
export { type Imported, type ImportedSplit, importRows } from "./import.ts";
export { formatLeaks, imagePrints, type Leaks, leaksBetween, loadSplits } from "./leaks.ts";
export { type DataNotice, darkImageNotice, dataNotices } from "./notices.ts";
export { describeOverlap, isSeen, type Overlap, overlapOf } from "./overlap.ts";
export { type DatasetSummary, datasetSummary, describeSamples, formatDatasetSummary } from "./summary.ts";
export type { Where } from "./where.ts";

export const datasets = {
  vqa_rad: vqaRad,
  slake,
  path_vqa: pathVqa,
  pmc_vqa: pmcVqa,
  omnimedvqa,
  medxpertqa_mm: medxpertqaMm,
  mmmu_medical: mmmuMedical,
  jsonl,
  files,
  mix: mixOf((name) => findDataset(name)),
  module: moduleDataset,
  phantom,
  phantom_world: phantomWorld,
  phantom_reports: phantomReports,
  phantom_lessons: phantomLessons,
  phantom_looks: phantomLooks,
  phantom_images: phantomImages,
  phantom_deep: phantomDeep,
  phantom_patients: phantomPatients,
  phantom_mosaics: phantomMosaics,
} as const satisfies Readonly<Record<string, Dataset>>;

/** As a recipe names data: `{ name: slake, path: …, split: train }`. */
export interface DataSpec extends LoadOptions {
  readonly name: string;
  /** What to do about an image file that is missing: stop (default), or leave its questions out. */
  readonly onBadImage?: "error" | "skip";
  /** Splits anew so that no image is in two splits; see `disjointSplit`. */
  readonly imageDisjoint?: boolean;
  readonly view?: ImageView;
  /** Questions of these strata alone; `limit` counts them. */
  readonly where?: Where;
}

/** The examples of a split; throws UserError for an unknown name, path or split, a wrong row, a missing image. */
export async function loadDataset(spec: DataSpec): Promise<readonly Example[]> {
  const examples = withView(await namedExamples(spec), spec.view);
  const bad = await checkImages(examples);
  if (bad.length === 0) return examples;
  const badIds = new Set(bad.map(({ exampleId }) => exampleId));
  const good = examples.filter(({ id }) => !badIds.has(id));
  if (spec.onBadImage === "skip" && good.length > 0) return good;
  throw new UserError(`dataset "${spec.name}": ${describeBadImages(bad)}`);
}

/** Those whose image file is missing, of the examples that a data set names. */
export async function missingImages(spec: DataSpec): Promise<readonly BadImage[]> {
  return checkImages(await namedExamples(spec));
}

/** The examples that a data set names, whether or not their images are there. */
async function namedExamples(spec: DataSpec): Promise<readonly Example[]> {
  const { limit, where, ...whole } = spec;
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0)) {
    throw new UserError(`dataset "${spec.name}": limit must be a whole number above 0, got ${limit}`);
  }
  const dataset = findDataset(spec.name);
  readOwn(spec.name, dataset.options ?? {}, spec.own);
  const asked = where === undefined ? spec : whole;
  const loaded = spec.imageDisjoint ? await disjointSplit(dataset, asked) : await dataset.load(asked);
  return where === undefined ? loaded : subset(examplesWhere(spec.name, loaded, where), spec);
}

function withView(examples: readonly Example[], view: ImageView = {}): readonly Example[] {
  if (view.range === undefined && view.window === undefined) return examples;
  return examples.map((example) => ({ ...example, images: example.images.map((image) => ({ ...image, ...view })) }));
}

/** The dataset of that name; a UserError names the nearest. */
export function findDataset(name: string): Dataset {
  return datasets[requireNamed("dataset", name, datasets)];
}
