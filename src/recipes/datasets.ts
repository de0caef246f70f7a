/** A data set in a recipe: keys shared by all data sets, then the set's own, taken from the table. */
import * as z from "zod";
import { mapping, nameIn, number, oneOf, oneOrMore, text, whole } from "../core/fields.ts";
import type { ImageView } from "../core/records.ts";
import { type GreyWindow, type WindowPreset, windowOf, windowPresets } from "../core/windows.ts";
import { type Dataset, datasets, type Where } from "../data/index.ts";

const stratum = z.union([text(), z.number()], { error: "a text or a number" });

const common = (split: string, ...names: readonly string[]) => ({
  name: oneOf(...(names as [string, ...string[]])).describe("Name of a data set; viva data list shows them."),
  path: text("a folder, a file or an id of the Hub").nullable().default(null).describe("Where its files are, if any."),
  revision: text("a branch, tag or commit").nullable().default(null).describe("Of a data set on the Hub."),
  split: text("the name of a split").default(split),
  limit: whole({ min: 1 }).nullable().default(null).describe("Use this many examples; null uses all."),
  image_range: z
    .tuple([whole({ min: 0, max: 65_535 }), whole({ min: 0, max: 65_535 })], { error: "a list of two whole numbers" })
    .refine(([low, high]) => low < high, { error: "two numbers, the lower one first" })
    .nullable()
    .default(null)
    .describe("The values of 16-bit images that become black and white; null is their full range."),
  window: z
    .union([nameIn(windowPresets), mapping({ center: number(), width: number({ min: 1 }) })], {
      error: `${Object.keys(windowPresets).join(", ")}, or a mapping of center and width`,
    })
    .nullable()
    .default(null)
    .describe(
      "The values of grey DICOM images and NIfTI slices that are shown; null is each file's own window, a name is for CT in DICOM alone.",
    ),
  table: text("a file of groups")
    .nullable()
    .default(null)
    .describe("How patients' tables (facts.table) are told before each question; null leaves questions as they are."),
  where: z
    .record(text(), oneOrMore(stratum, "a value, or a list of values"), {
      error: "a mapping of strata, such as modality, to a value or a list of values",
    })
    .nullable()
    .default(null)
    .describe("Takes the questions alone whose meta has these values; limit counts them. null takes all."),
  seed: whole({ min: 0 }).nullable().default(null).describe("Chooses or generates examples; null is the recipe's."),
});

type Common = ReturnType<typeof mapping<ReturnType<typeof common>>>;

/** Discriminated by name; `split` is the default split. */
export function datasetSchema(split: string) {
  const [first, ...others] = [...namesByOptions()].map(
    ([own, names]) => mapping({ ...common(split, ...names), ...own }) as unknown as Common,
  );
  return z.discriminatedUnion("name", [first!, ...others]);
}

/** The strata that a data set's questions are taken from; undefined for all. */
export function whereOf({
  where,
}: {
  readonly where: Readonly<Record<string, string | number | readonly (string | number)[]>> | null;
}): Where | undefined {
  if (where === null) return undefined;
  return Object.fromEntries(Object.entries(where).map(([name, values]) => [name, [values].flat().map(String)]));
}

/** How a data set's images are shown. */
export function viewOf({
  image_range: range,
  window,
}: {
  readonly image_range: readonly [number, number] | null;
  readonly window: WindowPreset | GreyWindow | null;
}): ImageView {
  return { ...(range === null ? {} : { range }), ...(window === null ? {} : { window: windowOf(window) }) };
}

const none: z.ZodRawShape = {};

/** Data sets with the same options share an alternative of the union. */
function namesByOptions(): ReadonlyMap<z.ZodRawShape, readonly string[]> {
  const names = new Map<z.ZodRawShape, string[]>();
  for (const [name, { options = none }] of Object.entries<Dataset>(datasets)) {
    names.set(options, [...(names.get(options) ?? []), name]);
  }
  return names;
}
