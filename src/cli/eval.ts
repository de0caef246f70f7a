/** viva eval: accuracy of a checkpoint, an endpoint or a file of predictions on a data set, with intervals, beside the baselines. */
import { Command, InvalidArgumentError, Option } from "commander";
import { UserError } from "../core/errors.ts";
import { percent } from "../core/percent.ts";
import type { Example } from "../core/records.ts";
import { overlapOf } from "../data/index.ts";
import {
  breakdown,
  conventionalModels,
  type EvalItem,
  type EvalSummary,
  type Evaluation,
  evaluateAnswers,
  evaluationResults,
  findConventional,
  findImageBaselines,
  findProtocol,
  formatSummary,
  type ProtocolName,
  type ScaleSweep,
  sampleRecords,
  scaleSweep,
  unaskedTags,
} from "../evaluate/index.ts";
import { trainedOn } from "../session/checkpoint.ts";
import { environmentChoices, maxTokensFields } from "../session/evaluation-sources.ts";
import { openVocabulary } from "../session/reward-services.ts";
import { tableTeller } from "../session/tables.ts";
import { collect, decimalNumber, type Interruption, wholeNumber } from "./arguments.ts";
import { addControlOptions } from "./control-options.ts";
import { answered, type EvalOptions } from "./eval-answers.ts";
import { baselinesBeside } from "./eval-baselines.ts";
import {
  deviceOption,
  engineOption,
  outOption,
  outputOption,
  promptOption,
  writeJson,
  writeJsonLines,
} from "./options.ts";
import { addQuestionOptions, describeQuestions, loadQuestions, protocolOption, tellOverlap } from "./questions.ts";

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
    .option(
      "--temperature <t>",
      "0 takes the likeliest token (default: 0 for one answer, 1 for several)",
      decimalNumber(0),
    )
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
      `models without language beside it, by commas: ${Object.keys(conventionalModels).join(", ")}`,
      findConventional,
    )
    .option("--missed-cost <n>", "with --conventional: false alarms that a missed yes costs", decimalNumber(0), 5)
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
      interruption.during((signal) => evaluate(checkpoint, options, signal)),
    );
}

async function evaluate(checkpoint: string | undefined, o: EvalOptions, signal: AbortSignal): Promise<void> {
  const names = [...new Set(o.protocol ?? ["viva"])].map((name) => findProtocol(name).name as ProtocolName);
  checkOptions(checkpoint, o);
  const { examples, train, validation } = await askedQuestions(checkpoint, o, signal);
  const own = checkpoint === undefined ? null : await trainedOn(checkpoint);
  const isJudged = train !== null && overlapOf(train, examples) !== null;
  if (own !== null && !isJudged) tellOverlap(o, own.examples, examples);
  const seen = [...(train ?? []), ...(own?.examples ?? [])];
  const { answers, subject, conditions, done } = await answered(checkpoint, examples, train, o, signal);
  const beside = await baselinesBeside(checkpoint, { examples, train, validation }, o, signal);
  const known = { train, seen, unseen: own?.unknown ?? null };
  const scoring = {
    checkpoint: subject,
    ...known,
    beside: beside.answers,
    validation: { examples: validation, beside: beside.validation },
    conditions,
    subgroups: o.subgroups ?? [],
    missedCost: o.missedCost,
    ...beside.fitted,
  };
  const hasFacts = examples.some(({ facts }) => facts !== undefined);
  const vocabulary = hasFacts ? { vocabulary: openVocabulary(null) } : {};
  const evaluations = names.map((protocol) =>
    evaluateAnswers(examples, answers, { ...scoring, ...vocabulary, protocol }),
  );
  const summaries: EvalSummary[] = [];
  for (const evaluation of evaluations) {
    summaries.push({ ...evaluation.summary, ...(await scaled(evaluation, examples, beside, o)) });
  }
  const lines = evaluations.flatMap(({ items }, i) => [
    ...items.map((item) => ({ kind: "item", ...item })),
    { kind: "summary", ...summaries[i] },
  ]);
  writeJsonLines(o.out, lines);
  const about = {
    data: describeQuestions(o, examples.length),
    subject,
    prompt: conditions.prompt?.style ?? null,
  };
  const results = evaluationResults(about, summaries);
  if (o.results !== undefined) writeJson(o.results, results);
  if (o.samples !== undefined) writeJsonLines(o.samples, sampleRecords(evaluations.map(({ items }) => items)));
  done();
  beside.done();
  const texts = answers.predictions.flatMap((own) => own.map(({ text }) => text));
  const tags = unaskedTags(answers.style, texts);
  if (tags !== null) console.error(`warning: ${tags}`);
  if (o.json) return console.log(JSON.stringify(summaries.length === 1 ? summaries[0] : results));
  for (const [i, { items }] of evaluations.entries()) {
    console.log(formatSummary(summaries[i]!));
    for (const line of strataLines(items)) console.log(line);
  }
  console.log(`items: ${o.out}`);
}

/** The scale sweep of conventional models against the answers, where it was asked for. */
async function scaled(
  { items, summary }: Evaluation,
  examples: readonly Example[],
  { features }: Awaited<ReturnType<typeof baselinesBeside>>,
  { scale, scaleDraws: draws, conventional, seed }: EvalOptions,
): Promise<{ readonly scale?: ScaleSweep }> {
  if (scale === undefined || features === null) return {};
  const protocol = summary.protocol as ProtocolName;
  const options = { sizes: scale, draws, seed, protocol, blocksOf: features.blocksOf };
  return { scale: await scaleSweep(conventional!, examples, features.train, items, options) };
}

function trainingSizes(text: string): readonly (number | null)[] {
  return text.split(",").map((size) => {
    if (size.trim() === "all") return null;
    const n = Number(size);
    if (Number.isInteger(n) && n >= 2) return n;
    throw new InvalidArgumentError(`Expected whole numbers of at least 2, or all, got "${size}".`);
  });
}

/** The questions, the training split and validation questions, their tables told where a file says how. */
async function askedQuestions(checkpoint: string | undefined, o: EvalOptions, signal: AbortSignal) {
  const { validation: split = "validation" } = o;
  const asked = split === "none" ? null : { split, required: o.validation !== undefined };
  const loaded = await loadQuestions(checkpoint, o, signal, { validation: asked });
  if (o.table === undefined) return loaded;
  const tell = tableTeller(o.table, loaded.train ?? []);
  const { examples, train, validation } = loaded;
  return { examples: examples.map(tell), train: train?.map(tell) ?? null, validation: validation.map(tell) };
}

function commaList(text: string): readonly string[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function checkOptions(checkpoint: string | undefined, o: EvalOptions): void {
  if ([checkpoint, o.predictions, o.endpoint].filter((given) => given !== undefined).length !== 1) {
    throw new UserError("viva eval needs one of: a checkpoint, --endpoint URL, --predictions FILE");
  }
  if (o.endpoint !== undefined && o.engine !== undefined) {
    throw new UserError("--endpoint asks a model elsewhere, and --engine computes a checkpoint: give one of them");
  }
  if (o.engine === undefined && (o.endpoint === undefined) !== (o.model === undefined)) {
    throw new UserError("--endpoint URL and --model NAME belong together");
  }
  if (o.scale !== undefined && o.conventional === undefined) {
    throw new UserError(
      "--scale asks from how many training questions conventional models win: name them with --conventional",
    );
  }
  if (o.balancedShots && o.shots === 0)
    throw new UserError("--balanced-shots says how --shots N are chosen: give both");
  if (o.shots > 0 && o.predictions !== undefined) {
    throw new UserError("--shots stand before questions that are asked, and --predictions has answered already");
  }
  if (o.topP === 0) throw new UserError("--top-p must be above 0");
  if (o.numGenerations > 1 && o.temperature === 0) {
    throw new UserError("--num-generations above 1 needs a --temperature above 0: all answers would be the same");
  }
  if (o.baseline !== undefined && o.predictions !== undefined) {
    throw new UserError("--baseline asks the model again, and --predictions has none to ask");
  }
  if (checkpoint === undefined && (o.stop ?? o.route) !== undefined) {
    throw new UserError("--stop and --route control a checkpoint on this machine: name one");
  }
  if (o.towerNeighbour && checkpoint === undefined) {
    throw new UserError(
      "--tower-neighbour looks through a checkpoint's vision tower, and there is none: name a checkpoint",
    );
  }
  if (o.baselineModel === "own" && checkpoint === undefined) {
    throw new UserError("--baseline-model own needs a run or an adapter; name a model in place of own");
  }
}

function strataLines(items: readonly EvalItem[]): readonly string[] {
  return ["content_type", "modality", "question_type"].flatMap((stratum) => {
    const rows = breakdown(items, stratum);
    const parts = rows.map(({ value, accuracy }) => `${value} ${percent(accuracy.estimate)} (${accuracy.n})`);
    return rows.length > 1 ? [`${stratum}: ${parts.join(", ")}`] : [];
  });
}
