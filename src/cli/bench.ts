/** viva bench: how fast this machine trains. */
import { Command, Option } from "commander";
import type { Device } from "../core/device.ts";
import { UserError } from "../core/errors.ts";
import { decimalNumber, type Interruption, wholeNumber } from "./arguments.ts";
import { deviceOption, downloadReporter } from "./options.ts";

interface StepOptions {
  readonly rows: string;
  readonly numGenerations: number;
  readonly maxCompletionLength: number;
  readonly promptsPerStep: number;
  readonly steps: number;
  readonly threads: number;
  readonly lora?: boolean;
  readonly quantize?: "int8" | "int4";
  readonly microBatchTokens: number;
  readonly activationMemoryGb: number;
  readonly device: Device;
}

/** The adapters that --lora trains: rank 16 on every linear layer of the language model. */
const LORA = { r: 16, lora_alpha: 32, target_modules: ".*language_model.*_proj" };

export function benchCommand(interruption: Interruption): Command {
  const step = new Command("step")
    .description("time GRPO steps on a checkpoint and print one JSON object; nothing is written")
    .argument("<checkpoint>", "model folder, a model that ships, or hf:org/name[@revision] on the Hub")
    .requiredOption("--rows <file>", "JSONL rows {image | images, question | messages}; image paths relative to it")
    .option("--num-generations <n>", "completions per prompt", wholeNumber(1), 8)
    .option("--max-completion-length <n>", "tokens of every completion", wholeNumber(1), 64)
    .option("--prompts-per-step <n>", "prompts per step", wholeNumber(1), 4)
    .option("--steps <n>", "steps; the first compiles the programs", wholeNumber(1), 4)
    .option("--threads <n>", "threads of the engine; 0 lets it choose", wholeNumber(0, 1024), 0)
    .addOption(deviceOption())
    .option("--lora", "train adapters of rank 16 on the language model in place of all weights")
    .addOption(
      new Option("--quantize <kind>", "hold the frozen base in 8- or 4-bit integers; with --lora").choices([
        "int8",
        "int4",
      ]),
    )
    .option("--activation-memory-gb <n>", "memory for results kept from the forward pass", decimalNumber(0), 2)
    .option("--micro-batch-tokens <n>", "tokens of one forward and backward pass", wholeNumber(1), 4096)
    .action((checkpoint: string, options: StepOptions) =>
      interruption.during(async (signal) => {
        const { benchSteps } = await import("../diagnostics/step-bench.ts");
        const { readPromptRows } = await import("../session/prompt-rows.ts");
        const { locateModel } = await import("../session/sources.ts");
        const rows = readPromptRows(options.rows);
        const lora = options.lora ? LORA : null;
        if (options.quantize !== undefined && lora === null) {
          throw new UserError("--quantize holds the frozen base in integers, which needs --lora to train anything");
        }
        const named = { key: "checkpoint", weights: true, reporter: downloadReporter(), signal };
        const { folder } = await locateModel(checkpoint, named);
        const bench = await benchSteps(folder, options.rows, rows, {
          ...options,
          lora,
          quantize: options.quantize ?? null,
        });
        console.log(JSON.stringify(bench));
      }),
    );
  return new Command("bench").addCommand(step);
}
