/** viva calibrate: the threshold at which thoughts may end, chosen on questions set aside, beside fixed lengths. */
import { Command, Option } from "commander";
import type { Device } from "../core/device.ts";
import { percent } from "../core/percent.ts";
import { alignColumns } from "../core/text-table.ts";
import type { ProtocolName } from "../evaluate/names.ts";
import type { PromptName } from "../session/checkpoint.ts";
import { stopScores } from "../session/choices.ts";
import type { StopOptions } from "../session/control.ts";
import type { Calibration, RuleFigures } from "../session/stop-file.ts";
import { decimalNumber, type Interruption, wholeNumber } from "./arguments.ts";
import { checkpointArgument, deviceOption, downloadReporter, outOption, promptOption, writeJson } from "./options.ts";
import { addQuestionOptions, protocolOption, type QuestionOptions } from "./question-options.ts";

interface CalibrateOptions extends QuestionOptions {
  readonly stop: StopOptions["stop"];
  readonly stopScore: StopOptions["score"];
  readonly minSentences: number;
  readonly maxLoss: number;
  readonly protocol: string;
  readonly prompt?: PromptName;
  readonly step?: number;
  readonly maxCompletionLength?: number;
  readonly device: Device;
  readonly out: string;
  readonly json?: boolean;
}

export function calibrateCommand(interruption: Interruption): Command {
  const command = new Command("calibrate").addArgument(checkpointArgument());
  return addQuestionOptions(command, "validation")
    .addOption(
      new Option("--stop <rule>", "what ends a thought").choices(["confidence", "options"]).default("confidence"),
    )
    .addOption(new Option("--stop-score <name>", "of a trial answer's tokens").choices(stopScores).default("avg2"))
    .option("--min-sentences <n>", "sentences that are thought in any case", wholeNumber(1), 1)
    .option("--max-loss <points>", "accuracy that may be lost, in percentage points", decimalNumber(0, 100), 1)
    .addOption(protocolOption().default("viva"))
    .addOption(promptOption())
    .option("--step <n>", "checkpoint of a run (default: the newest)", wholeNumber(0))
    .option("--max-completion-length <n>", "tokens per answer (default: the run's, else 64)", wholeNumber(1))
    .addOption(deviceOption())
    .addOption(outOption("what --stop reads, with all figures, as JSON"))
    .option("--json", "print the same JSON")
    .action((checkpoint: string, options: CalibrateOptions) =>
      interruption.during((signal) => run(checkpoint, options, signal)),
    );
}

async function run(checkpoint: string, o: CalibrateOptions, signal: AbortSignal): Promise<void> {
  const { findProtocol, scoreItems } = await import("../evaluate/index.ts");
  const { encodeQuestion, openCheckpoint, opensThought } = await import("../session/checkpoint.ts");
  const { requireThoughts } = await import("../session/control.ts");
  const { answerLength } = await import("../session/evaluation-sources.ts");
  const { calibrate, traceThoughts } = await import("../session/stop-file.ts");
  const { describeQuestions, loadQuestions } = await import("./questions.ts");
  const protocol = findProtocol(o.protocol).name as ProtocolName;
  const { asked: questions, examples } = await loadQuestions(checkpoint, o, signal, { train: false });
  const reporter = downloadReporter();
  const { step, prompt: asked, device } = o;
  const opened = await openCheckpoint(checkpoint, {
    ...{ engine: "local", device, reporter, signal },
    ...(step === undefined ? {} : { step }),
    ...(asked === undefined ? {} : { prompt: asked }),
  });
  try {
    const { engine, processor, prompt, recipe } = opened;
    requireThoughts(prompt);
    const prompts = [];
    for (const example of examples) prompts.push(await encodeQuestion(processor, example, prompt));
    const sampling = {
      ...{ numGenerations: 1, temperature: 0, topP: 1, topK: 0, seed: 0, step: 0 },
      maxCompletionLength: o.maxCompletionLength ?? answerLength(recipe),
    };
    const traces = await traceThoughts(engine.policy, processor, prompts, sampling, (done) => {
      signal.throwIfAborted();
      reporter.step({ stage: "trials", step: done, total: prompts.length, metrics: {} });
    });
    reporter.close();
    const thinkOpened = prompts[0] !== undefined && opensThought(prompts[0].text);
    const known = new Map<string, boolean>();
    const isRight = (i: number, { text }: { readonly text: string }) => {
      const key = `${i} ${text}`;
      const options = { protocol, style: prompt.style, thinkOpened };
      const right = known.get(key) ?? scoreItems([examples[i]!], [text], options)[0]!.strict === 1;
      known.set(key, right);
      return right;
    };
    const rule = { stop: o.stop, score: o.stopScore, minSentences: o.minSentences };
    const found = calibrate(traces, isRight, rule, o.maxLoss / 100);
    const file = {
      ...{ stop: rule.stop, threshold: found.chosen, min_sentences: rule.minSentences, score: rule.score },
      max_loss: o.maxLoss,
      data: describeQuestions(questions, examples.length),
      ...{ full: found.full, thresholds: found.thresholds, fixed: found.fixed },
    };
    writeJson(o.out, file);
    if (o.json) return console.log(JSON.stringify(file));
    for (const line of tableOf(found)) console.log(line);
    console.log(saidOf(found, o));
  } finally {
    await opened.engine.close();
  }
}

function tableOf({ full, thresholds, fixed }: Calibration): readonly string[] {
  const row = (name: string, one: RuleFigures) => [
    ...[
      name,
      percent(one.accuracy),
      one.tokens.toFixed(1),
      one.spent.toFixed(1),
      percent(one.saved),
      percent(one.stopped),
    ],
  ];
  return alignColumns(
    [
      ["", "accuracy %", "tokens", "with trials", "saved %", "ended %"],
      row("whole thoughts", full),
      ...thresholds.map((one) => row(`above ${one.threshold}`, one)),
      ...fixed.map((one) => row(`after ${one.sentences} sentence${one.sentences === 1 ? "" : "s"}`, one)),
    ],
    1,
  );
}

function saidOf({ chosen }: Calibration, { maxLoss, out }: CalibrateOptions): string {
  if (chosen === null) return `no threshold saves tokens and loses at most ${maxLoss} points: leave thoughts whole`;
  return `chosen: above ${chosen}; viva eval or viva serve with --stop ${out}`;
}
