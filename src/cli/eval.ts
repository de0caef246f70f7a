/** viva eval: accuracy of a checkpoint or run on a data set, with intervals, beside the baselines. */
import { Command, Option } from "commander";
import type { Device } from "../core/device.ts";
import { UserError } from "../core/errors.ts";
import { loadDataset } from "../data/index.ts";
import { breakdown, evaluatePolicy, formatSummary } from "../evaluate/index.ts";
import { openCheckpoint, type PromptName } from "../recipes/checkpoint.ts";
import { evaluationSubset } from "../recipes/examples.ts";
import { evaluationLength } from "../recipes/session.ts";
import { locateDataset } from "../recipes/sources.ts";
import { type Interruption, wholeNumber } from "./arguments.ts";
import {
  checkpointArgument,
  deviceOption,
  downloadReporter,
  outOption,
  promptOption,
  writeJsonLines,
} from "./options.ts";

interface EvalOptions {
  readonly data: string;
  readonly path?: string;
  readonly split: string;
  readonly limit?: number;
  readonly seed: number;
  readonly protocol: string;
  readonly prompt?: PromptName;
  readonly device: Device;
  readonly step?: number;
  readonly maxCompletionLength?: number;
  readonly out: string;
  readonly json?: boolean;
}

export function evalCommand(interruption: Interruption): Command {
  return new Command("eval")
    .description("measure a checkpoint or a run on a data set")
    .addArgument(checkpointArgument())
    .requiredOption("--data <name>", "data set (viva data list)")
    .option("--path <folder>", "where its files are: a folder, a file, or org/name on the Hub")
    .option("--split <name>", "split to evaluate on", "test")
    .option("--limit <n>", "a random subset of this many questions", wholeNumber(1))
    .option("--seed <n>", "chooses the subset; seed of generated data", wholeNumber(0), 42)
    .addOption(new Option("--protocol <name>", "how answers are scored").choices(["viva"]).default("viva"))
    .addOption(promptOption())
    .addOption(deviceOption())
    .option("--step <n>", "checkpoint of a run (default: the newest)", wholeNumber(0))
    .option("--max-completion-length <n>", "tokens per answer (default: the run's, else 64)", wholeNumber(1))
    .addOption(outOption("JSONL: one line per question, then the summary"))
    .option("--json", "print the summary as JSON")
    .action((checkpoint: string, options: EvalOptions) =>
      interruption.during((signal) => evaluate(checkpoint, options, signal)),
    );
}

async function evaluate(checkpoint: string, options: EvalOptions, signal: AbortSignal): Promise<void> {
  const reporter = downloadReporter();
  const { path } = options;
  const source = {
    name: options.data,
    seed: options.seed,
    ...(path === undefined ? {} : { path: (await locateDataset(path, { key: "--path", reporter, signal })).folder }),
  };
  const all = await loadDataset({ ...source, split: options.split });
  const examples = evaluationSubset(all, options.limit ?? null, options.seed);
  const train = await loadDataset({ ...source, split: "train" }).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    console.error(`no baselines, the training split cannot be read: ${error.message}`);
    return null;
  });
  const opened = await openCheckpoint(checkpoint, { ...options, reporter, signal });
  try {
    const maxCompletionLength =
      options.maxCompletionLength ?? (opened.recipe === null ? 64 : evaluationLength(opened.recipe));
    const { items, summary } = await evaluatePolicy(opened.engine.policy, examples, {
      processor: opened.processor,
      prompt: opened.prompt,
      maxCompletionLength,
      checkpoint: opened.folder,
      train,
      signal,
      onProgress: (step, total) => reporter.step({ stage: "eval", step, total, metrics: {} }),
    });
    reporter.close();
    const lines = [...items.map((item) => ({ kind: "item", ...item })), { kind: "summary", ...summary }];
    writeJsonLines(options.out, lines);
    if (options.json) {
      console.log(JSON.stringify(summary));
      return;
    }
    console.log(formatSummary(summary));
    for (const stratum of ["content_type", "modality", "question_type"]) {
      const rows = breakdown(items, stratum);
      if (rows.length > 1) {
        const parts = rows.map(
          ({ value, accuracy }) => `${value} ${(100 * accuracy.estimate).toFixed(1)} (${accuracy.n})`,
        );
        console.log(`${stratum}: ${parts.join(", ")}`);
      }
    }
    console.log(`items: ${options.out}`);
  } finally {
    await opened.engine.close();
  }
}
