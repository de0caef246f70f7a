/** A data set from a module of the user's own, which the recipe names by its path; nothing is loaded that was not named so. */
import * as z from "zod";
import { UserError } from "../core/errors.ts";
import { exportOf, importModule, moduleFile } from "../core/import-module.ts";
import { moduleErrorText } from "../core/module-errors.ts";
import { ANSWER_TYPES, type Example } from "../core/records.ts";
import { type Dataset, splitName } from "./dataset.ts";
import { readRow, requireUniqueIds } from "./rows.ts";

const pixels = z.object({
  width: z.int().min(1),
  height: z.int().min(1),
  channels: z.union([z.literal(1), z.literal(3)]),
  data: z.instanceof(Uint8Array, { error: "a Uint8Array" }),
});

const target = z.object({
  value: z.number(),
  unit: z.string().optional(),
  tolerance: z.number().min(0).optional(),
  event: z.boolean().optional(),
});

const exampleSchema = z.looseObject({
  id: z.string().min(1),
  subjectId: z.string().min(1),
  question: z.string().min(1),
  images: z.array(z.looseObject({ path: z.string().min(1), pixels: pixels.optional() })),
  answer: z.string(),
  answerType: z.enum(ANSWER_TYPES),
  target: target.optional(),
  choices: z.array(z.string()),
  rationale: z.string().optional(),
  meta: z.record(z.string(), z.string()),
});

export const moduleDataset: Dataset = {
  name: "module",
  description: "your own data from a module of yours: its default export gives the examples of a split",
  licence: "yours",
  isOwn: true,
  runsModule: () => true,
  obtain:
    "write a module, .ts or .js, whose default export (or export `load`) is a function of { split, limit, seed } that gives " +
    "a list of examples or a promise of one, and give its file as path; examples/dataset.ts is one",

  async load({ path, ...options }) {
    const fail = (problem: string, cause?: unknown): never => {
      throw new UserError(`dataset "module": ${path ?? "path"}: ${problem}`, { cause });
    };
    if (path === undefined) return fail("name the module's file");
    const file = moduleFile(path, fail);
    const exports = await importModule(file).catch((error: unknown) => fail(moduleErrorText(error, file), error));
    const load = exportOf(exports, "load", "call");
    if (typeof load !== "function") return fail("exports neither a function as default nor one called load");
    const split = splitName(options.split);
    const examples: unknown = await Promise.resolve()
      .then(() => load({ ...options, split }))
      .catch((error: unknown) => fail(moduleErrorText(error, file), error));
    if (!Array.isArray(examples)) return fail(`must give a list of examples, got ${typeof examples}`);
    const checked = examples.map((given, i) => {
      const example = readRow(exampleSchema, given, `${path}, example ${i}`);
      return { ...(given as Example), meta: { ...example.meta, split } };
    });
    requireUniqueIds(checked, path);
    return options.limit === undefined ? checked : checked.slice(0, options.limit);
  },
};
