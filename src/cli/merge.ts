/** viva merge: several adapters of one model as one model. */
import { Command, InvalidArgumentError, Option } from "commander";
import { UserError } from "../core/errors.ts";
import { type MergeMethod, mergeAdapters, mergeMethods } from "../export/merge.ts";
import { decimalNumber, type Interruption } from "./arguments.ts";
import { downloadReporter } from "./options.ts";

interface MergeOptions {
  readonly out: string;
  readonly method: MergeMethod;
  readonly weights?: readonly number[];
  readonly density: number;
  readonly lambda: number;
}

export function mergeCommand(interruption: Interruption): Command {
  return new Command("merge")
    .description("merge adapters of one model into it: the mean, the sum, or TIES on their dense updates")
    .argument("<adapters...>", "adapter folders, runs with adapters, or their checkpoints; two or more")
    .requiredOption("--out <folder>", "where to write the whole model; a new or empty folder")
    .addOption(new Option("--method <name>", "how updates are merged").choices([...mergeMethods]).default("mean"))
    .option("--weights <list>", "one number per adapter, by commas (default: 1 each)", numberList)
    .option(
      "--density <share>",
      "of ties and dare_ties: elements of each update that are kept",
      decimalNumber(0, 1),
      0.5,
    )
    .option("--lambda <factor>", "on the merged update", decimalNumber(0), 1)
    .action((adapters: readonly string[], { weights, ...merging }: MergeOptions) =>
      interruption.during(async (signal) => {
        if (adapters.length < 2) throw new UserError("viva merge needs two adapters or more");
        const adapterWeights = weights ?? adapters.map(() => 1);
        if (adapterWeights.length !== adapters.length) {
          throw new UserError(`--weights has ${adapterWeights.length} numbers for ${adapters.length} adapters`);
        }
        const out = await mergeAdapters(adapters, { ...merging, adapterWeights, reporter: downloadReporter(), signal });
        console.log(`merged ${adapters.length} adapters by ${merging.method} to ${out}`);
      }),
    );
}

function numberList(text: string): readonly number[] {
  const numbers = text.split(",").map(Number);
  if (numbers.every((number) => Number.isFinite(number) && number >= 0) && numbers.some((number) => number > 0)) {
    return numbers;
  }
  throw new InvalidArgumentError("Expected numbers of at least 0 by commas, such as 1,2.");
}
