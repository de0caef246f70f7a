/** viva generate: completions for rows of a file. */
import { Command } from "commander";
import type { Device } from "../core/device.ts";
import { UserError } from "../core/errors.ts";
import type { PromptName } from "../session/checkpoint.ts";
import type { GeneratedRow } from "../session/prompt-rows.ts";
import { decimalNumber, type Interruption, temperature, wholeNumber } from "./arguments.ts";
import {
  addViewOptions,
  checkpointArgument,
  deviceOption,
  downloadReporter,
  outOption,
  promptOption,
  rowsWritten,
  type ViewOptions,
  viewAsked,
  writeJsonLines,
} from "./options.ts";

interface GenerateOptions extends ViewOptions {
  readonly rows: string;
  readonly out: string;
  readonly numGenerations: number;
  readonly temperature?: number;
  readonly topP: number;
  readonly topK: number;
  readonly seed: number;
  readonly maxCompletionLength: number;
  readonly prompt?: PromptName;
  readonly device: Device;
  readonly json?: boolean;
}

export function generateCommand(interruption: Interruption): Command {
  const command = new Command("generate")
    .addArgument(checkpointArgument())
    .requiredOption("--rows <file>", "JSONL rows {image | images, question | messages}; image paths relative to it")
    .addOption(outOption("JSONL: one row for each row given"))
    .option("--num-generations <n>", "completions per row", wholeNumber(1), 1)
    .option(
      "--temperature <t>",
      "0 takes the likeliest token (default: 0 for one completion, 1 for several)",
      temperature,
    )
    .option("--top-p <p>", "keep the likeliest tokens up to this probability", decimalNumber(0, 1), 1)
    .option("--top-k <k>", "keep the k likeliest tokens; 0 keeps all", wholeNumber(0), 0)
    .option("--seed <n>", "seed of the sampling", wholeNumber(0), 42)
    .option("--max-completion-length <n>", "tokens after which a completion is cut", wholeNumber(1), 256)
    .addOption(promptOption())
    .addOption(deviceOption());
  return addViewOptions(command, "the run's, else ")
    .option("--json", "print what was written as JSON")
    .action((checkpoint: string, options: GenerateOptions) =>
      interruption.during((signal) => generate(checkpoint, options, signal)),
    );
}

async function generate(checkpoint: string, options: GenerateOptions, signal: AbortSignal): Promise<void> {
  const { openCheckpoint, viewOfRun } = await import("../session/checkpoint.ts");
  const { generateRows, readPromptRows } = await import("../session/prompt-rows.ts");
  const { viewedProcessor } = await import("../session/viewed-processor.ts");
  const { numGenerations, maxCompletionLength, topP, topK, seed } = options;
  if (topP === 0) throw new UserError("--top-p must be above 0");
  const rows = readPromptRows(options.rows);
  const temperature = options.temperature ?? (numGenerations === 1 ? 0 : 1);
  const reporter = downloadReporter();
  const opened = await openCheckpoint(checkpoint, { ...options, reporter, signal });
  try {
    const sampling = { numGenerations, maxCompletionLength, temperature, topP, topK, seed };
    const results: GeneratedRow[] = [];
    const processor = viewedProcessor(opened.processor, viewAsked(options, viewOfRun(opened)));
    await generateRows({ ...opened, processor }, options.rows, rows, sampling, (row) => {
      results.push(row);
      reporter.progress({ what: "rows", done: results.length, total: rows.length });
    });
    writeJsonLines(options.out, results);
    console.log(rowsWritten(results.length, options));
  } finally {
    await opened.engine.close();
  }
}
