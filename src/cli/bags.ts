/** viva bags: one number of a bag of patch features, such as those of a whole slide. */
import { Command, InvalidArgumentError, Option } from "commander";
import { percent } from "../core/percent.ts";
import { alignColumns } from "../core/text-table.ts";
import type { BagResults, BagSettings, Pool, Sampling } from "../pipeline/bags.ts";
import { decimalNumber, type Interruption, wholeNumber } from "./arguments.ts";
import { checkpointArgument, downloadReporter } from "./options.ts";

interface TrainOptions extends Omit<BagSettings, "smooth" | "binWidth" | "high"> {
  readonly out: string;
  readonly pool: readonly Pool[];
  readonly sampling: readonly Sampling[];
  readonly seeds: readonly number[];
  readonly smooth?: boolean;
  readonly binWidth?: number;
  readonly high?: number;
  readonly model?: string;
  readonly tokens: number;
  readonly rewardEpochs: number;
  readonly resume?: boolean;
  readonly json?: boolean;
}

interface EncodeOptions {
  readonly data: string;
  readonly path?: string;
  readonly tiles: number;
  readonly trainLimit: number;
  readonly testLimit: number;
  readonly seed: number;
  readonly out: string;
}

export function bagsCommand(interruption: Interruption): Command {
  const encode = new Command("encode")
    .description("cut images into tiles and write what a checkpoint's vision tower makes of each")
    .addArgument(checkpointArgument())
    .requiredOption("--data <name>", "data set with numeric answers (viva data list)")
    .option("--path <folder>", "where its files are")
    .requiredOption("--out <folder>", "where the bags go")
    .option("--tiles <n>", "tiles in a row and in a column", wholeNumber(1, 256), 8)
    .option("--train-limit <n>", "at most this many bags to train on", wholeNumber(1), 300)
    .option("--test-limit <n>", "at most this many bags to measure on", wholeNumber(1), 300)
    .option("--seed <n>", "chooses the examples; of generated data", wholeNumber(0), 42)
    .action((checkpoint: string, o: EncodeOptions) =>
      interruption.during((signal) => runEncode(checkpoint, o, signal)),
    );
  const train = new Command("train")
    .description("learn the number of a bag: each pooling with each sampling and seed, measured beside each other")
    .argument("<folder>", "bags.jsonl and the files it names")
    .requiredOption("--out <folder>", "where weights and results go")
    .addOption(
      listOption("--pool <list>", "how vectors become one", ["attention", "mean", "max"], ["attention", "mean"]),
    )
    .addOption(
      listOption("--sampling <list>", "how bags are drawn", ["none", "inverse", "sqrt_inverse"], ["none", "inverse"]),
    )
    .option("--seeds <list>", "by commas", numbers, [1])
    .option("--hidden <n>", "width of the attention's inner layer", wholeNumber(1), 128)
    .option("--bag-size <n>", "vectors of a bag that a training step sees", wholeNumber(1), 512)
    .option("--batch-size <n>", "bags per step", wholeNumber(1), 16)
    .option("--epochs <n>", "passes over the training bags", wholeNumber(0), 30)
    .option("--learning-rate <rate>", "of Adam", decimalNumber(0), 1e-3)
    .option("--bin-width <width>", "of the histogram of targets (default: a tenth of their range)", decimalNumber(0))
    .option("--smooth", "smooth the histogram over five bins")
    .option("--high <value>", "targets from here on are high (default: the training targets' highest tenth)", Number)
    .option("--model <checkpoint>", "arms more: a frozen model reads bags as tokens and writes the number")
    .option("--tokens <n>", "with --model: tokens of a bag", wholeNumber(1, 256), 4)
    .option("--reward-epochs <n>", "with --model: epochs more, on the reward of sampled numbers", wholeNumber(0), 0)
    .option("--resume", "go on from the last whole epoch of each arm in --out")
    .option("--json", "print the results as JSON")
    .action((folder: string, o: TrainOptions) => interruption.during((signal) => runTrain(folder, o, signal)));
  return new Command("bags").addCommand(encode).addCommand(train);
}

async function runEncode(checkpoint: string, o: EncodeOptions, signal: AbortSignal): Promise<void> {
  const { loadDataset } = await import("../data/index.ts");
  const { encodeBags } = await import("../pipeline/bags.ts");
  const { evaluationSubset } = await import("../session/examples.ts");
  const path = o.path === undefined ? {} : { path: o.path };
  const load = async (split: string, limit: number) =>
    evaluationSubset(await loadDataset({ name: o.data, split, seed: o.seed, ...path }), limit, o.seed);
  const examples = { train: await load("train", o.trainLimit), test: await load("test", o.testLimit) };
  const reporter = downloadReporter();
  try {
    const { tiles, out } = o;
    const onBag = (done: number, total: number) => reporter.progress({ what: "encoding", done, total });
    const count = await encodeBags(checkpoint, { examples, tiles, out, signal, reporter, onBag });
    reporter.close();
    console.log(`${count} bags of ${tiles * tiles} vectors written to ${out}`);
  } finally {
    reporter.close();
  }
}

async function runTrain(folder: string, o: TrainOptions, signal: AbortSignal): Promise<void> {
  const { trainBags } = await import("../pipeline/bags.ts");
  const heads = [
    ...o.pool.map((pool) => ({ head: "number", pool }) as const),
    ...(o.model === undefined ? [] : [{ head: "tokens", pool: "attention" } as const]),
  ];
  const arms = heads.flatMap((head) =>
    o.sampling.flatMap((sampling) => o.seeds.map((seed) => ({ ...head, sampling, seed }))),
  );
  const { tokens, rewardEpochs } = o;
  const reader = o.model === undefined ? null : { checkpoint: o.model, tokens, rewardEpochs };
  const { hidden, bagSize, batchSize, epochs, learningRate, binWidth = null, smooth = false, high = null } = o;
  const reporter = downloadReporter();
  try {
    const results = await trainBags(folder, {
      settings: { hidden, bagSize, batchSize, epochs, learningRate, binWidth, smooth, high },
      ...{ arms, reader, out: o.out, resume: o.resume ?? false, signal, reporter },
      onEpoch: (stage, step, total, loss) => reporter.step({ stage, step, total, metrics: { loss } }),
    });
    reporter.close();
    console.log(o.json ? JSON.stringify(results) : `${formatResults(results)}\nresults: ${o.out}/bags.json`);
  } finally {
    reporter.close();
  }
}

function formatResults({ train, test, high, arms }: BagResults): string {
  const share = (value: number | null) => (value === null ? "" : percent(value));
  const rows = arms.map(({ head, pool, sampling, seed, mae, r2, ...found }) => [
    ...[head === "tokens" ? "tokens" : pool, sampling, String(seed), mae.toFixed(2), r2.toFixed(2)],
    ...[share(found.recall_high), share(found.specificity_high), share(found.unreadable)],
  ]);
  const header = ["pool", "sampling", "seed", "mean error", "R²", "high found %", "others left %", "unread %"];
  const shown = arms.some(({ head }) => head === "tokens") ? header.length : header.length - 1;
  return [
    `${train} bags trained on, ${test} measured; high is ${high} or more`,
    "",
    ...alignColumns(
      [header, ...rows].map((row) => row.slice(0, shown)),
      2,
    ),
  ].join("\n");
}

function listOption(flags: string, about: string, known: readonly string[], standard: readonly string[]): Option {
  const parse = (text: string) => {
    const names = text.split(",").map((name) => name.trim());
    const unknown = names.find((name) => !known.includes(name));
    if (unknown === undefined) return names;
    throw new InvalidArgumentError(`Expected some of ${known.join(", ")} by commas.`);
  };
  return new Option(flags, `${about}: ${known.join(", ")}`).argParser(parse).default(standard, standard.join(","));
}

function numbers(text: string): readonly number[] {
  const found = text.split(",").map(Number);
  if (found.every((number) => Number.isInteger(number) && number >= 0)) return found;
  throw new InvalidArgumentError("Expected whole numbers by commas, such as 1,2,3.");
}
