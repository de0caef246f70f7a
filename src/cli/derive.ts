/** viva derive: a checkpoint as a deployment would have it, rounded to integers or pruned, as a model folder. */
import { Command, Option } from "commander";
import { UserError } from "../core/errors.ts";
import { type Derivation, exportCheckpoint } from "../export/export.ts";

import { byteSize, decimalNumber, type Interruption, wholeNumber } from "./arguments.ts";
import { checkpointArgument, downloadReporter } from "./options.ts";

interface DeriveOptions {
  readonly out: string;
  readonly quantize?: "int8" | "int4";
  readonly searchScales?: boolean;
  readonly prune?: "magnitude" | "random";
  readonly sparsity?: number;
  readonly step?: number;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

export function deriveCommand(interruption: Interruption): Command {
  return new Command("derive")
    .description("write a checkpoint with its matrices rounded or pruned, to measure what a deployment would break")
    .addArgument(checkpointArgument())
    .requiredOption("--out <folder>", "where to write; a new or empty folder")
    .addOption(new Option("--quantize <bits>", "round blocks of 32 to integers").choices(["int8", "int4"]))
    .option("--search-scales", "with --quantize: choose each block's scale for the least squared error")
    .addOption(new Option("--prune <method>", "set elements to 0").choices(["magnitude", "random"]))
    .option("--sparsity <share>", "with --prune: share of each matrix's elements", decimalNumber(0, 1))
    .option("--step <n>", "checkpoint of a run (default: the newest)", wholeNumber(0))
    .option("--overwrite", "replace an earlier export in --out")
    .option("--json", "print what was written as JSON")
    .action((checkpoint: string, options: DeriveOptions) =>
      interruption.during((signal) => derive(checkpoint, options, signal)),
    );
}

async function derive(checkpoint: string, o: DeriveOptions, signal: AbortSignal): Promise<void> {
  const exported = await exportCheckpoint(checkpoint, {
    ...{ out: o.out, what: "merged", dtype: "float32", maxShardBytes: byteSize("5GB") },
    ...{ overwrite: o.overwrite ?? false, reporter: downloadReporter(), signal, derivation: derivationOf(o) },
    ...(o.step === undefined ? {} : { step: o.step }),
  });
  if (o.json) return console.log(JSON.stringify(exported));
  console.log(`derived ${exported.checkpoint} to ${exported.out}`);
}

function derivationOf({ quantize, searchScales, prune, sparsity }: DeriveOptions): Derivation {
  if ((quantize === undefined) === (prune === undefined)) {
    throw new UserError("viva derive needs one of: --quantize int8 or int4, --prune magnitude or random");
  }
  if ((prune === undefined) !== (sparsity === undefined)) {
    throw new UserError("--prune METHOD and --sparsity SHARE belong together");
  }
  if (quantize === undefined && searchScales) throw new UserError("--search-scales belongs to --quantize");
  return quantize === undefined
    ? { kind: "prune", method: prune!, sparsity: sparsity! }
    : { kind: "quantize", bits: quantize === "int8" ? 8 : 4, search: searchScales ?? false };
}
