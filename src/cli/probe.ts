/** viva probe: reasoning quality, bias and robustness of a checkpoint, each by a named probe with intervals. */
import { dirname, join } from "node:path";
import { Command, Option } from "commander";
import type { Device } from "../core/device.ts";
import { UserError } from "../core/errors.ts";
import {
  findProbes,
  findProtocol,
  formatProbes,
  type ProbeName,
  type ProtocolName,
  probeResults,
  probes,
  readCalibration,
  runProbes,
} from "../evaluate/index.ts";
import { evaluationLength } from "../recipes/stage-kinds.ts";
import { openCheckpoint, type PromptName } from "../session/checkpoint.ts";
import { maxTokensFields } from "../session/evaluation-sources.ts";
import { openProbeTools, type ProbeToolOptions } from "../session/probe-tools.ts";
import { openVocabulary } from "../session/reward-services.ts";
import { collect, type Interruption, wholeNumber } from "./arguments.ts";
import {
  checkpointArgument,
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

interface ProbeOptions extends QuestionOptions, Omit<ProbeToolOptions, "device" | "calibration"> {
  readonly calibration?: string;
  readonly probe?: readonly string[];
  readonly protocol: string;
  readonly prompt?: PromptName;
  readonly device: Device;
  readonly step?: number;
  readonly maxCompletionLength?: number;
  readonly out: string;
  readonly samples?: string;
  readonly json?: boolean;
}

export function probeCommand(interruption: Interruption): Command {
  const command = new Command("probe")
    .description("probe a checkpoint's reasoning, bias and robustness on a data set")
    .addArgument(checkpointArgument());
  return addQuestionOptions(command)
    .addOption(
      new Option("--probe <name>", `which, repeatable: ${Object.keys(probes).join(", ")}`)
        .argParser((text: string, earlier: readonly string[] | undefined) => collect(text, earlier ?? []))
        .default(undefined, "all"),
    )
    .addOption(protocolOption().default("viva"))
    .addOption(promptOption())
    .addOption(deviceOption())
    .option("--step <n>", "checkpoint of a run (default: the newest)", wholeNumber(0))
    .option("--max-completion-length <n>", "tokens per answer (default: the run's, else 64)", wholeNumber(1))
    .option("--encoder <folder>", "for semantic: a sentence encoder exported to ONNX")
    .option("--untuned <checkpoint>", "for semantic: the model before tuning")
    .option("--judge-url <url>", "for judge: the endpoint's address before /chat/completions")
    .option("--judge-model <name>", "for judge: the model's name there")
    .option("--judge-key-env <name>", "for judge: the environment variable that holds its key")
    .addOption(
      new Option("--judge-max-tokens-field <name>", "for judge: what the endpoint calls the limit on tokens").choices(
        maxTokensFields,
      ),
    )
    .option("--calibration <file>", "for judge: JSONL rows {question, answer, completion, verdict} judged by people")
    .addOption(outOption("the results as one JSON object (schema: docs/schemas)"))
    .addOption(outputOption("--samples <file>", "JSONL: one line per answer"))
    .option("--json", "print the results as JSON")
    .action((checkpoint: string, options: ProbeOptions) =>
      interruption.during((signal) => probe(checkpoint, options, signal)),
    );
}

async function probe(checkpoint: string, o: ProbeOptions, signal: AbortSignal): Promise<void> {
  const names = findProbes(o.probe ?? []);
  const protocol = findProtocol(o.protocol).name as ProtocolName;
  checkTools(o, names);
  const calibration = o.calibration === undefined ? null : readCalibration(o.calibration);
  const { examples, train } = await loadQuestions(o, signal, names.includes("question_only"));
  const reporter = downloadReporter();
  const source = { ...o, reporter, signal };
  const opened = await openCheckpoint(checkpoint, source);
  try {
    const { processor, prompt, folder: subject, recipe } = opened;
    const tools = await openProbeTools({ ...source, calibration }, prompt, join(dirname(o.out), "replies"));
    try {
      const { results, answers } = await runProbes(opened.engine.policy, examples, names, {
        processor,
        prompt,
        protocol,
        maxCompletionLength: o.maxCompletionLength ?? (recipe === null ? 64 : evaluationLength(recipe)),
        checkpoint: subject,
        seed: o.seed,
        vocabulary: openVocabulary(recipe?.vocabulary ?? null),
        train,
        tools,
        openQuantized: async (quantize) => {
          const { engine } = await openCheckpoint(checkpoint, { ...source, quantize });
          return { policy: engine.policy, close: () => engine.close() };
        },
        signal,
        onProgress: (step, total) => reporter.step({ stage: "probe", step, total, metrics: {} }),
      });
      reporter.close();
      const about = { data: describeQuestions(o, examples.length), subject, prompt: prompt.style, protocol };
      const found = probeResults(about, results);
      writeJson(o.out, found);
      if (o.samples !== undefined) {
        const lines = [...answers].flatMap(([variant, asked]) => asked.map(({ item }) => ({ variant, ...item })));
        writeJsonLines(o.samples, lines);
      }
      console.log(o.json ? JSON.stringify(found) : `${formatProbes(found)}\n\nresults: ${o.out}`);
    } finally {
      await tools.close();
    }
  } finally {
    await opened.engine.close();
  }
}

/** What belongs together is given together, and a tool only where its probe runs. */
function checkTools(o: ProbeOptions, names: readonly ProbeName[]): void {
  if ((o.judgeUrl === undefined) !== (o.judgeModel === undefined)) {
    throw new UserError("--judge-url and --judge-model belong together: give both or neither");
  }
  for (const [option, given] of Object.entries({ calibration: o.calibration, "judge-key-env": o.judgeKeyEnv })) {
    if (given !== undefined && o.judgeUrl === undefined) {
      throw new UserError(`--${option} is for a judge: give --judge-url and --judge-model too`);
    }
  }
  const unused = {
    encoder: [o.encoder, "semantic"],
    untuned: [o.untuned, "semantic"],
    "judge-url": [o.judgeUrl, "judge"],
  };
  for (const [option, [given, name]] of Object.entries(unused)) {
    if (given === undefined || names.includes(name as ProbeName)) continue;
    throw new UserError(`--${option} is for the probe ${name}, which --probe leaves out`);
  }
}
