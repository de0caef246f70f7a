/** viva derive: a checkpoint as a deployment would have it, rounded to integers or pruned, as a model folder. */
import { Command, Option } from "commander";
import { UserError } from "../core/errors.ts";
import type { Derivation } from "../export/export.ts";
import { type PruneMethod, pruneMethods } from "../export/methods.ts";
import { byteSize, decimalNumber, type Interruption, wholeNumber } from "./arguments.ts";
import { checkpointArgument, downloadReporter } from "./options.ts";

interface DeriveOptions {
  readonly out: string;
  readonly quantize?: "int8" | "int4";
  readonly searchScales?: boolean;
  readonly prune?: PruneMethod;
  readonly sparsity?: number;
  readonly data?: string;
  readonly path?: string;
  readonly split: string;
  readonly step?: number;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

const methods = Object.entries(pruneMethods).map(([name, { about }]) => `${name} (${about})`);

export function deriveCommand(interruption: Interruption): Command {
  return new Command("derive")
    .addArgument(checkpointArgument())
    .requiredOption("--out <folder>", "where to write; a new or empty folder")
    .addOption(new Option("--quantize <bits>", "round blocks of 32 to integers").choices(["int8", "int4"]))
    .option("--search-scales", "with --quantize: choose each block's scale for the least squared error")
    .addOption(
      new Option("--prune <method>", `set elements to 0: ${methods.join("; ")}`).choices(Object.keys(pruneMethods)),
    )
    .option("--sparsity <share>", "with --prune: share of each matrix's elements", decimalNumber(0, 1))
    .option("--data <name>", "with --prune wanda or gradient: data set of the questions that scores are calibrated on")
    .option("--path <folder>", "where its files are")
    .option("--split <name>", "of --data", "train")
    .option("--step <n>", "checkpoint of a run (default: the newest)", wholeNumber(0))
    .option("--overwrite", "replace an earlier export in --out")
    .option("--json", "print what was written as JSON")
    .action((checkpoint: string, options: DeriveOptions) =>
      interruption.during((signal) => derive(checkpoint, options, signal)),
    );
}

async function derive(checkpoint: string, o: DeriveOptions, signal: AbortSignal): Promise<void> {
  const { exportCheckpoint } = await import("../export/export.ts");
  const derivation = await withCalibration(derivationOf(o), checkpoint, o, signal);
  const exported = await exportCheckpoint(checkpoint, {
    ...{ out: o.out, what: "merged", dtype: "float32", maxShardBytes: byteSize("5GB") },
    ...{ overwrite: o.overwrite ?? false, reporter: downloadReporter(), signal, derivation },
    ...(o.step === undefined ? {} : { step: o.step }),
  });
  if (o.json) return console.log(JSON.stringify(exported));
  console.log(`derived ${exported.checkpoint} to ${exported.out}`);
}

/** What the method needs to know of the model on some questions; the model is opened for those that need it alone. */
async function withCalibration(
  derivation: Derivation,
  checkpoint: string,
  { data, path, split, step }: DeriveOptions,
  signal: AbortSignal,
): Promise<Derivation> {
  const needs = derivation.kind === "prune" && pruneMethods[derivation.method].calibrates !== null;
  if (needs !== (data !== undefined)) {
    throw new UserError("--data NAME is for --prune wanda and gradient, which are calibrated on its questions");
  }
  if (data === undefined) return derivation;
  const { calibrator } = await import("../session/calibration.ts");
  const { openCheckpoint } = await import("../session/checkpoint.ts");
  const { loadQuestions } = await import("./questions.ts");
  const questions = { data, split, seed: 0, ...(path === undefined ? {} : { path }) };
  const { examples } = await loadQuestions(checkpoint, questions, signal, { train: false });
  const at = step === undefined ? {} : { step };
  const opened = await openCheckpoint(checkpoint, { reporter: downloadReporter(), signal, ...at });
  try {
    return await calibrator(opened, examples)(derivation);
  } finally {
    await opened.engine.close();
  }
}

function derivationOf({ quantize, searchScales, prune, sparsity }: DeriveOptions): Derivation {
  if ((quantize === undefined) === (prune === undefined)) {
    throw new UserError(
      `viva derive needs one of: --quantize int8 or int4, --prune ${Object.keys(pruneMethods).join(", ")}`,
    );
  }
  if ((prune === undefined) !== (sparsity === undefined)) {
    throw new UserError("--prune METHOD and --sparsity SHARE belong together");
  }
  if (quantize === undefined && searchScales) throw new UserError("--search-scales belongs to --quantize");
  return quantize === undefined
    ? { kind: "prune", method: prune!, sparsity: sparsity! }
    : { kind: "quantize", bits: quantize === "int8" ? 8 : 4, search: searchScales ?? false };
}
