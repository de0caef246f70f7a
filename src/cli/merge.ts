/** viva merge: several adapters of one model as one. */
import { Command, InvalidArgumentError, Option } from "commander";
import { UserError } from "../core/errors.ts";
import { percent } from "../core/percent.ts";
import { alignColumns } from "../core/text-table.ts";
import type { MergeCandidate } from "../export/choose-merge.ts";
import { type AverageName, averages, type MergeMethod, mergeMethods } from "../export/methods.ts";
import { decimalNumber, type Interruption, wholeNumber } from "./arguments.ts";
import { downloadReporter } from "./options.ts";

interface MergeOptions {
  readonly out: string;
  readonly method?: MergeMethod | AverageName;
  readonly weights?: readonly number[];
  readonly density: number;
  readonly lambda: number;
  readonly rank?: number;
  readonly chooseBy?: string;
  readonly json?: boolean;
}

const isAverage = (method: string): method is AverageName => Object.hasOwn(averages, method);

export function mergeCommand(interruption: Interruption): Command {
  return new Command("merge")
    .argument("<adapters...>", "adapter folders, runs with adapters, or their checkpoints; two or more")
    .requiredOption("--out <folder>", "where to write; a new or empty folder")
    .addOption(
      new Option(
        "--method <name>",
        "how updates are merged; fedavg, fedex and svd average sites (default: mean)",
      ).choices([...mergeMethods, ...Object.keys(averages)]),
    )
    .option(
      "--weights <list>",
      "one number per adapter, by commas: of sites their examples (default: 1 each)",
      numberList,
    )
    .option("--density <share>", "of ties and dare_ties: elements of each update that are kept", share, 0.5)
    .option("--lambda <factor>", "on the merged update", decimalNumber(0), 1)
    .option(
      "--choose-by <recipe>",
      "choose method (unless --method says it), density and lambda by accuracy on the recipe's data.eval",
    )
    .option("--rank <n>", "write an adapter of this rank in place of a whole model", wholeNumber(1))
    .option("--json", "print what was written as JSON")
    .action((adapters: readonly string[], options: MergeOptions) =>
      interruption.during((signal) => merge(adapters, options, signal)),
    );
}

async function merge(adapters: readonly string[], o: MergeOptions, signal: AbortSignal): Promise<void> {
  const { method = "mean", out, rank = null, density, lambda } = o;
  if (adapters.length < 2 && !isAverage(method)) throw new UserError("viva merge needs two adapters or more");
  const weights = o.weights ?? adapters.map(() => 1);
  if (weights.length !== adapters.length) {
    throw new UserError(`--weights has ${weights.length} numbers for ${adapters.length} adapters`);
  }
  const source = { reporter: downloadReporter(), signal };
  const about = { method, adapters: adapters.length };
  if (o.chooseBy !== undefined) return choose(adapters, weights, { ...o, chooseBy: o.chooseBy }, signal);
  if (isAverage(method)) {
    if (rank !== null) throw new UserError(`--rank: ${method} keeps the adapters' own rank; leave it out`);
    const { averageIntoFolder } = await import("../export/average.ts");
    const done = await averageIntoFolder(adapters, { ...source, out, way: method, counts: weights });
    const error = done.aggregationError;
    if (o.json) return console.log(JSON.stringify({ ...about, out: done.out, aggregation_error: error }));
    console.log(`averaged ${adapters.length} adapters by ${method} to ${done.out}`);
    return console.log(`aggregation error: ${percent(error)} % of the exact average's norm`);
  }
  const { mergeAdapters } = await import("../export/merge.ts");
  const merging = { method, adapterWeights: weights, density, lambda, rank };
  const { lostShare, ...done } = await mergeAdapters(adapters, { ...source, ...merging, out });
  const lost = lostShare === null ? {} : { lost: lostShare };
  if (o.json) return console.log(JSON.stringify({ ...about, out: done.out, ...lost }));
  console.log(`merged ${adapters.length} adapters by ${method} to ${done.out}`);
  if (lostShare !== null) console.log(`rank ${rank} loses ${percent(lostShare)} % of the update's norm`);
}

async function choose(
  adapters: readonly string[],
  adapterWeights: readonly number[],
  o: MergeOptions & { readonly chooseBy: string },
  signal: AbortSignal,
): Promise<void> {
  const { method, out, rank, chooseBy, json } = o;
  if (rank !== undefined) throw new UserError("--choose-by writes the whole model that was chosen; leave --rank out");
  if (method !== undefined && isAverage(method)) {
    throw new UserError(`--choose-by: ${method} has nothing to choose; name one of ${mergeMethods.join(", ")}`);
  }
  const methods = method === undefined ? mergeMethods : [method];
  const { chooseMerge } = await import("../export/choose-merge.ts");
  const { loadRecipe } = await import("../recipes/load.ts");
  const { recipe } = loadRecipe(chooseBy);
  const reporter = downloadReporter();
  const onCandidate = (one: MergeCandidate) => reporter.message(cells(one).join("  "));
  const found = await chooseMerge(adapters, { out, methods, adapterWeights, recipe, reporter, signal, onCandidate });
  if (json) return console.log(JSON.stringify(found));
  console.log(alignColumns([["method", "density", "lambda", "accuracy %"], ...found.table.map(cells)], 1).join("\n"));
  console.log(`chosen: ${cells(found.chosen).join("  ")}; written to ${found.out}`);
}

function cells({ method, density, lambda, accuracy }: MergeCandidate): readonly string[] {
  return [method, density === null ? "-" : String(density), String(lambda), percent(accuracy)];
}

function share(text: string): number {
  const value = decimalNumber(0, 1)(text);
  if (value === 0)
    throw new InvalidArgumentError("Expected a number above 0 and at most 1: of nothing kept nothing is merged.");
  return value;
}

/** Sums of weights stay far from what overflows (ours). */
const MOST_WEIGHT = 1e15;

function numberList(text: string): readonly number[] {
  const numbers = text.split(",").map(Number);
  if (numbers.every((number) => number >= 0 && number <= MOST_WEIGHT) && numbers.some((number) => number > 0)) {
    return numbers;
  }
  throw new InvalidArgumentError(`Expected numbers from 0 to ${MOST_WEIGHT} by commas, one above 0, such as 1,2.`);
}
