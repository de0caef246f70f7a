/** viva-rl/data: the built-in data sets, loading one, and the interface for your own. */
export type { AnswerType, Example, Facts, ImageRef, NumericTarget, RawImage } from "../core/records.ts";
export { type DataSpec, type Dataset, datasets, type LoadOptions, loadDataset } from "../data/index.ts";
