/** PathVQA as parquet files of the Hub: pathology images from textbooks; a subject is an image. */
import { UserError } from "../core/errors.ts";
import { type Dataset, requirePath, splitName, subset } from "./dataset.ts";
import { loadHubVqa } from "./hub-vqa.ts";

export const pathVqa: Dataset = {
  name: "path_vqa",
  description: "PathVQA: 32,632 questions about 4,289 pathology images (19,654 / 6,259 / 6,719 in the Hub's copy)",
  licence: "MIT",
  hubName: "flaviagiammarino/path-vqa",
  downloadable: true,
  obtain: "viva data get path_vqa, or a folder with data/train-*.parquet, validation-* and test-*; give it as path",

  async load(options) {
    const folder = await requirePath(this, options.path);
    const examples = await loadHubVqa(this.name, folder, splitName(options.split));
    if (examples === null) {
      throw new UserError(`dataset "path_vqa": no parquet file in ${folder}. To get the data: ${this.obtain}`);
    }
    return subset(examples, options);
  },
};
