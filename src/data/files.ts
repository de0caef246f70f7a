/** Your own data in the files of other tools: what they are is seen by their content (formats/). */
import * as z from "zod";
import { MissingSplit, UserError } from "../core/errors.ts";
import { oneOf, text } from "../core/fields.ts";
import type { Example } from "../core/records.ts";
import { blankedImage } from "../io/blanked-image.ts";
import { cachedImage } from "../io/image-cache.ts";
import { requirePath, splitName, subset, withOptions } from "./dataset.ts";
import { formatNames, type KeepImage, type Outcome, readFormat } from "./formats/reading.ts";
import { examplesOf, type GivenRow, ownSplit, withSplit } from "./own-rows.ts";

/** Options of the data set, and of `viva data import`. */
export const formatOptions = {
  columns: z
    .record(text(), z.union([text(), z.array(text()).min(1)], { error: "the name of a column, or a list of them" }), {
      error: "a mapping of fields to names of columns",
    })
    .default({})
    .describe("Which column holds the question, the answer, the image…; several make a list, as of choices."),
  images: text("a folder").nullable().default(null).describe("What image paths count from; null is the file's folder."),
  turns: oneOf("one", "first", "each")
    .default("one")
    .describe("A chat of several questions: refused, asked its first one, or each by itself."),
};

/** Images that came as bytes are kept by their content; of DICOM and NIfTI files without what identifies the patient. */
export const keepInCache: KeepImage = (bytes) => cachedImage(blankedImage(bytes)).path;

export const files = withOptions(formatOptions, {
  name: "files",
  description:
    "your own data as other tools write it: parquet, Arrow, CSV or JSON with columns, chats or conversations",
  licence: "yours",
  isOwn: true,
  obtain:
    `give a file or a folder of them as path: ${formatNames.containers.join(", ")}, or what datasets.save_to_disk wrote; ` +
    "viva data import shows what they were taken for",

  async load(options, own) {
    const path = await requirePath(files, options.path);
    const { splits } = await readFormat(path, own, keepInCache);
    const all = splits.get("all");
    if (all !== undefined && splits.size === 1) {
      return subset(ownSplit(await read(all(), path), options.split, { set: "files", path }), options);
    }
    const wanted = splitName(options.split);
    const rows = splits.get(wanted);
    if (rows !== undefined) return subset(withSplit(await read(rows(), path), wanted), options);
    throw new MissingSplit(
      `dataset "files": no split "${wanted}" in ${path}; the splits there are ${[...splits.keys()].join(", ")}`,
    );
  },
});

/** All rows' examples; the first row without one stops the reading. */
async function read(outcomes: AsyncGenerator<Outcome>, path: string): Promise<readonly Example[]> {
  const rows: GivenRow[] = [];
  for await (const outcome of outcomes) {
    if ("problem" in outcome) throw new UserError(`${outcome.where}: ${outcome.problem}`);
    rows.push(outcome);
  }
  return examplesOf(rows, path);
}
