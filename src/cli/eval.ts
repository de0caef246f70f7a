/** viva eval: accuracy of a checkpoint, an endpoint or a file of predictions on a data set, with intervals, beside the baselines. */
import { Command, InvalidArgumentError, Option } from "commander";
import { conventionalNames, findConventional, findImageBaselines } from "../evaluate/names.ts";
import { environmentChoices, maxTokensFields } from "../session/choices.ts";
import { collect, decimalNumber, type Interruption, temperature, wholeNumber } from "./arguments.ts";
import { addControlOptions } from "./control-options.ts";
import type { EvalOptions } from "./eval-answers.ts";
import { deviceOption, engineOption, outOption, outputOption, promptOption } from "./options.ts";
import { addQuestionOptions, protocolOption } from "./question-options.ts";

export function evalCommand(interruption: Interruption): Command {
  const command = new Command("eval")
    .argument(
      "[checkpoint]",
      "model, adapter or run folder, a run's checkpoint, a model that ships, or hf:org/name[@revision] on the Hub",
    )
    .option("--predictions <file>", "in place of a checkpoint: JSONL rows {example_id, prediction} made elsewhere")
    .option("--endpoint <url>", "in place of a checkpoint: an OpenAI-compatible address, as http://localhost:8000/v1")
    .option("--model <name>", "the model's name at --endpoint or --engine")
    .option("--api-key-env <name>", "environment variable that holds the key of --endpoint or --engine")
    .option("--concurrency <n>", "requests under way at the same time", wholeNumber(1, 1024), 16)
    .option("--timeout <seconds>", "of one request", decimalNumber(0.001, 86_400), 120)
    .option("--max-retries <n>", "attempts after the first, when the endpoint fails", wholeNumber(0, 100), 5)
    .addOption(
      new Option("--max-tokens-field <name>", "what the endpoint calls the limit on tokens")
        .choices(maxTokensFields)
        .default("max_tokens"),
    )
    .option("--count-unanswered", "score questions without an answer as wrong in place of ending");
  return addControlOptions(addQuestionOptions(command))
    .addOption(
      protocolOption(", repeatable")
        .argParser((text: string, earlier: readonly string[] | undefined) => collect(text, earlier ?? []))
        .default(undefined, "viva"),
    )
    .addOption(promptOption())
    .addOption(deviceOption())
    .addOption(engineOption())
    .option("--step <n>", "checkpoint of a run (default: the newest)", wholeNumber(0))
    .option("--max-completion-length <n>", "tokens per answer (default: the run's, else 64)", wholeNumber(1))
    .option("--max-pixels <n>", "scale larger images down to so many pixels (default: the run's)", wholeNumber(1))
    .addOption(
      new Option("--environment <name>", "tools that answers may call (default: the run's, else none)").choices(
        environmentChoices,
      ),
    )
    .option("--num-generations <n>", "answers to each question", wholeNumber(1, 1024), 1)
    .option("--temperature <t>", "0 takes the likeliest token (default: 0 for one answer, 1 for several)", temperature)
    .option("--top-p <p>", "keep the likeliest tokens up to this probability", decimalNumber(0, 1), 1)
    .option("--top-k <k>", "keep the k likeliest tokens; 0 keeps all", wholeNumber(0), 0)
    .option(
      "--baseline <names>",
      "the same model with other images: blank_image, wrong_image, both by a comma",
      findImageBaselines,
    )
    .option("--baseline-model <model>", "an untuned model as a baseline; own: what the run or adapter began from")
    .option(
      "--conventional <models>",
      `models without language beside it, by commas: ${conventionalNames.join(", ")}`,
      findConventional,
    )
    .option("--folds <n>", "with --conventional: folds that choose their hyper-parameters", wholeNumber(2, 100), 5)
    .option(
      "--missed-cost <n>",
      "with --conventional or --subgroups: false alarms that a missed yes costs",
      decimalNumber(0),
      5,
    )
    .option(
      "--scale <sizes>",
      "with --conventional: from how many training questions they win, by commas: 10,30,100,300,1000,all",
      trainingSizes,
    )
    .option("--scale-draws <n>", "with --scale: random parts of each size", wholeNumber(1, 100), 5)
    .option("--shots <n>", "solved training questions, without images, before each question", wholeNumber(0, 64), 0)
    .option("--balanced-shots", "with --shots: as many of each answer")
    .option("--table <file>", "how patients' tables are told before each question (YAML)")
    .option("--subgroups <strata>", "compare groups in yes/no questions, by commas: sex,age_group", commaList)
    .option(
      "--validation <split>",
      "questions that choose the best baseline (default: validation, where there is one); none",
    )
    .option("--no-nearest-neighbour", "leave out the baseline that reads the training images")
    .option("--tower-neighbour", "a baseline more: the nearest training image as the model's vision tower sees it")
    .addOption(outOption("JSONL: one row per question, then the summary"))
    .addOption(outputOption("--results <file>", "the summaries as one JSON object (schema: docs/schemas)"))
    .addOption(outputOption("--samples <file>", "JSONL: one row per question as lmms-eval logs samples"))
    .option("--json", "print the summary as JSON")
    .action((checkpoint: string | undefined, options: EvalOptions) =>
      interruption.during(async (signal) => {
        const { evaluate } = await import("./eval-asked.ts");
        await evaluate(checkpoint, options, signal);
      }),
    );
}

function trainingSizes(text: string): readonly (number | null)[] {
  return text.split(",").map((size) => {
    if (size.trim() === "all") return null;
    const n = Number(size);
    if (Number.isInteger(n) && n >= 2) return n;
    throw new InvalidArgumentError(`Expected whole numbers of at least 2, or all, got "${size}".`);
  });
}

function commaList(text: string): readonly string[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
