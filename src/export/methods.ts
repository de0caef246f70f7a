/** Methods by name, without the code that writes models: commands say them in their help. */
export { type AverageName, averages } from "../models/average.ts";
export { type MergeMethod, mergeMethods } from "../models/combine.ts";
export { type PruneMethod, pruneMethods } from "../models/derivation.ts";
