/** viva logprobs: per-token log-probs of given completions. */
import { Command } from "commander";
import type { Device } from "../core/device.ts";
import type { PromptName } from "../session/checkpoint.ts";
import type { ScoredRow } from "../session/prompt-rows.ts";
import type { Interruption } from "./arguments.ts";
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

interface LogprobsOptions extends ViewOptions {
  readonly rows: string;
  readonly out: string;
  readonly prompt?: PromptName;
  readonly device: Device;
  readonly json?: boolean;
}

export function logprobsCommand(interruption: Interruption): Command {
  const command = new Command("logprobs")
    .addArgument(checkpointArgument())
    .requiredOption("--rows <file>", "JSONL rows {image | images, question | messages, completion}")
    .addOption(outOption("JSONL: token_ids, log_probs (natural), prompt_tokens, image_tokens per row"))
    .addOption(promptOption())
    .addOption(deviceOption());
  return addViewOptions(command, "the run's, else ")
    .option("--json", "print what was written as JSON")
    .action((checkpoint: string, options: LogprobsOptions) =>
      interruption.during(async (signal) => {
        const { openCheckpoint, viewOfRun } = await import("../session/checkpoint.ts");
        const { readPromptRows, scoreRows } = await import("../session/prompt-rows.ts");
        const { viewedProcessor } = await import("../session/viewed-processor.ts");
        const rows = readPromptRows(options.rows);
        const reporter = downloadReporter();
        const opened = await openCheckpoint(checkpoint, { ...options, reporter, signal });
        try {
          const scored: ScoredRow[] = [];
          const processor = viewedProcessor(opened.processor, viewAsked(options, viewOfRun(opened)));
          await scoreRows({ ...opened, processor }, options.rows, rows, (row) => {
            scored.push(row);
            reporter.progress({ what: "rows", done: scored.length, total: rows.length });
          });
          writeJsonLines(options.out, scored);
          console.log(rowsWritten(scored.length, options));
        } finally {
          await opened.engine.close();
        }
      }),
    );
}
