/** viva eval: accuracy of a checkpoint, a run or a file of predictions on a data set, with intervals, beside the baselines. */
import { Command } from "commander";
import type { Device } from "../core/device.ts";
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import {
  type Answers,
  answerQuestions,
  breakdown,
  type EvalItem,
  evaluateAnswers,
  evaluationResults,
  findProtocol,
  formatSummary,
  type ProtocolName,
  readPredictions,
  sampleRecords,
} from "../evaluate/index.ts";
import { type OpenedCheckpoint, openCheckpoint, type PromptName } from "../recipes/checkpoint.ts";
import { evaluationLength } from "../recipes/session.ts";
import { collect, type Interruption, wholeNumber } from "./arguments.ts";
import {
  deviceOption,
  downloadReporter,
  outOption,
  outputOption,
  promptOption,
  writeJson,
  writeJsonLines,
} from "./options.ts";
import {
  addQuestionOptions,
  describeQuestions,
  loadQuestions,
  protocolOption,
  type QuestionOptions,
} from "./questions.ts";

interface EvalOptions extends QuestionOptions {
  readonly protocol?: readonly string[];
  readonly predictions?: string;
  readonly prompt?: PromptName;
  readonly device: Device;
  readonly step?: number;
  readonly maxCompletionLength?: number;
  readonly out: string;
  readonly results?: string;
  readonly samples?: string;
  readonly json?: boolean;
}

export function evalCommand(interruption: Interruption): Command {
  const command = new Command("eval")
    .description("measure a checkpoint, a run or a file of predictions on a data set")
    .argument("[checkpoint]", "model folder, run folder, a run's checkpoint, or org/name[@revision] on the Hub")
    .option("--predictions <file>", "in place of a checkpoint: JSONL rows {example_id, prediction} made elsewhere");
  return addQuestionOptions(command)
    .addOption(
      protocolOption(", repeatable")
        .argParser((text: string, earlier: readonly string[] | undefined) => collect(text, earlier ?? []))
        .default(undefined, "viva"),
    )
    .addOption(promptOption())
    .addOption(deviceOption())
    .option("--step <n>", "checkpoint of a run (default: the newest)", wholeNumber(0))
    .option("--max-completion-length <n>", "tokens per answer (default: the run's, else 64)", wholeNumber(1))
    .addOption(outOption("JSONL: one line per question, then the summary"))
    .addOption(outputOption("--results <file>", "the summaries as one JSON object (schema: docs/schemas)"))
    .addOption(outputOption("--samples <file>", "JSONL: one line per question as lmms-eval logs samples"))
    .option("--json", "print the summary as JSON")
    .action((checkpoint: string | undefined, options: EvalOptions) =>
      interruption.during((signal) => evaluate(checkpoint, options, signal)),
    );
}

async function evaluate(checkpoint: string | undefined, o: EvalOptions, signal: AbortSignal): Promise<void> {
  const names = [...new Set(o.protocol ?? ["viva"])].map((name) => findProtocol(name).name as ProtocolName);
  if ((checkpoint === undefined) === (o.predictions === undefined)) {
    throw new UserError("viva eval needs either a checkpoint or --predictions FILE");
  }
  const { examples, train } = await loadQuestions(o, signal);
  const answered =
    checkpoint === undefined
      ? {
          answers: readPredictions(o.predictions!, examples, styleOf(o.prompt)),
          subject: o.predictions!,
          prompt: o.prompt,
        }
      : await answersOf(checkpoint, examples, o, signal);
  const { answers, subject } = answered;
  const evaluations = names.map((protocol) =>
    evaluateAnswers(examples, answers, { protocol, checkpoint: subject, train }),
  );
  const summaries = evaluations.map(({ summary }) => summary);
  const lines = evaluations.flatMap(({ items, summary }) => [
    ...items.map((item) => ({ kind: "item", ...item })),
    { kind: "summary", ...summary },
  ]);
  writeJsonLines(o.out, lines);
  const about = { data: describeQuestions(o, examples.length), subject, prompt: answered.prompt ?? null };
  const results = evaluationResults(about, summaries);
  if (o.results !== undefined) writeJson(o.results, results);
  if (o.samples !== undefined) writeJsonLines(o.samples, sampleRecords(evaluations.map(({ items }) => items)));
  if (o.json) return console.log(JSON.stringify(summaries.length === 1 ? summaries[0] : results));
  for (const { summary, items } of evaluations) {
    console.log(formatSummary(summary));
    for (const line of strataLines(items)) console.log(line);
  }
  console.log(`items: ${o.out}`);
}

async function answersOf(checkpoint: string, examples: readonly Example[], o: EvalOptions, signal: AbortSignal) {
  const reporter = downloadReporter();
  const opened: OpenedCheckpoint = await openCheckpoint(checkpoint, { ...o, reporter, signal });
  try {
    const ownLength = opened.recipe === null ? 64 : evaluationLength(opened.recipe);
    const answers: Answers = await answerQuestions(opened.engine.policy, examples, {
      processor: opened.processor,
      prompt: opened.prompt,
      maxCompletionLength: o.maxCompletionLength ?? ownLength,
      signal,
      onProgress: (step, total) => reporter.step({ stage: "eval", step, total, metrics: {} }),
    });
    reporter.close();
    return { answers, subject: opened.folder, prompt: opened.prompt.style };
  } finally {
    await opened.engine.close();
  }
}

/** The form a prompt asks answers to take; answers made elsewhere are plain unless said otherwise. */
function styleOf(prompt: PromptName | undefined): Answers["style"] {
  return prompt === "think_answer" || prompt === "answer_only" ? prompt : "plain";
}

function strataLines(items: readonly EvalItem[]): readonly string[] {
  return ["content_type", "modality", "question_type"].flatMap((stratum) => {
    const rows = breakdown(items, stratum);
    const parts = rows.map(({ value, accuracy }) => `${value} ${(100 * accuracy.estimate).toFixed(1)} (${accuracy.n})`);
    return rows.length > 1 ? [`${stratum}: ${parts.join(", ")}`] : [];
  });
}
