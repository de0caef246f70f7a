/** viva reprogram: new classes for a model whose weights may not change. */
import { Command, InvalidArgumentError, Option } from "commander";
import { percent } from "../core/percent.ts";
import { alignColumns } from "../core/text-table.ts";
import type { ReprogramResults, ReprogramSettings } from "../pipeline/reprogram.ts";
import type { PromptName } from "../session/checkpoint.ts";
import { decimalNumber, type Interruption, wholeNumber } from "./arguments.ts";
import { checkpointArgument, downloadReporter, promptOption } from "./options.ts";
import { addQuestionOptions, type QuestionOptions } from "./question-options.ts";

interface ReprogramCommandOptions extends QuestionOptions, Omit<ReprogramSettings, "answers" | "seed"> {
  readonly trainLimit?: number;
  readonly trainSplit: string;
  readonly answers?: readonly string[];
  readonly prompt?: PromptName;
  readonly out: string;
  readonly resume?: boolean;
  readonly json?: boolean;
}

export function reprogramCommand(interruption: Interruption): Command {
  const command = new Command("reprogram")
    .addArgument(checkpointArgument())
    .requiredOption("--out <folder>", "where the visual prompt and the results go");
  return addQuestionOptions(command, "test")
    .option("--train-split <name>", "split to train on", "train")
    .option("--train-limit <n>", "train on a random subset of this many examples", wholeNumber(1))
    .addOption(new Option("--form <form>", "where pixels change").choices(["full", "frame", "padded"]).default("full"))
    .addOption(
      new Option("--mapping <kind>", "how the model's answers stand for classes")
        .choices(["frequency", "iterative", "learned"])
        .default("iterative"),
    )
    .option("--size <pixels>", "side of the square that images are resized to", wholeNumber(8, 4096), 112)
    .option("--width <pixels>", "of frame and padded: the frame's width", wholeNumber(1, 2048), 12)
    .option("--answers <list>", "the model's own answers, by commas (default: yes, no and letters)", answerList)
    .option("--epochs <n>", "passes over the training examples", wholeNumber(0), 40)
    .option("--batch-size <n>", "examples per step", wholeNumber(1), 20)
    .option("--learning-rate <rate>", "of Adam, on pixels of 0 to 1", decimalNumber(0), 0.01)
    .addOption(promptOption())
    .option("--resume", "go on from the last whole epoch in --out")
    .option("--json", "print the results as JSON")
    .action((checkpoint: string, options: ReprogramCommandOptions) =>
      interruption.during((signal) => run(checkpoint, options, signal)),
    );
}

async function run(checkpoint: string, given: ReprogramCommandOptions, signal: AbortSignal): Promise<void> {
  const { loadDataset } = await import("../data/index.ts");
  const { reprogram } = await import("../pipeline/reprogram.ts");
  const { promptStyle } = await import("../session/checkpoint.ts");
  const { evaluationSubset } = await import("../session/examples.ts");
  const { loadQuestions } = await import("./questions.ts");
  const { asked: o, examples } = await loadQuestions(checkpoint, given, signal, {
    train: given.trainSplit === "train",
  });
  const path = o.path === undefined ? {} : { path: o.path };
  const split = await loadDataset({ name: o.data, split: o.trainSplit, seed: o.seed, ...path });
  const train = evaluationSubset(split, o.trainLimit ?? null, o.seed);
  const reporter = downloadReporter();
  const { form, mapping, size, width, epochs, batchSize, learningRate, seed } = o;
  try {
    const results = await reprogram(checkpoint, {
      settings: { form, mapping, size, width, answers: o.answers ?? null, epochs, batchSize, learningRate, seed },
      ...{ train, test: examples, out: o.out, resume: o.resume ?? false, reporter, signal },
      ...(o.prompt === undefined ? {} : { prompt: promptStyle(o.prompt) }),
      onEpoch: (step, total, loss) => reporter.step({ stage: "reprogram", step, total, metrics: { loss } }),
    });
    reporter.close();
    console.log(o.json ? JSON.stringify(results) : `${formatResults(results)}\nresults: ${o.out}/reprogram.json`);
  } finally {
    reporter.close();
  }
}

function formatResults({ accuracy, difference, classes, train, test, answers }: ReprogramResults): string {
  const rows = Object.entries(accuracy).map(([name, { estimate, low, high }]) => [
    name.replaceAll("_", " "),
    `${percent(estimate)} % [${percent(low)}, ${percent(high)}]`,
  ]);
  const { estimate, low, high } = difference;
  const points = [estimate, low, high].map((share) => (100 * share).toFixed(1));
  return [
    `${classes.length} classes, ${train} examples trained on, ${test} measured`,
    ...alignColumns(rows, 1),
    `reprogrammed less the linear probe: ${points[0]} points [${points[1]}, ${points[2]}]`,
    ...(answers === null ? [] : [`answers: ${classes.map((name, i) => `${answers[i]} for ${name}`).join(", ")}`]),
  ].join("\n");
}

function answerList(text: string): readonly string[] {
  const answers = text.split(",").map((answer) => answer.trim());
  if (answers.length >= 2 && answers.every((answer) => answer !== "")) return answers;
  throw new InvalidArgumentError("Expected at least two answers by commas, such as yes,no.");
}
