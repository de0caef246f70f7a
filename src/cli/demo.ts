/** viva demo: the main job on what ships with the product, in under five minutes on two cores. */
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { formatSummary } from "../evaluate/index.ts";
import { createReporter } from "../runs/reporter.ts";
import { collect, type Interruption } from "./arguments.ts";
import { train } from "./train.ts";

interface DemoOptions {
  readonly run?: string;
  readonly set: readonly string[];
  readonly json?: boolean;
}

export function demoCommand(interruption: Interruption): Command {
  return new Command("demo")
    .description("train a tiny model on generated chest films: supervised, then GRPO, measured before and after")
    .option("--run <folder>", "run folder (default: runs/demo-<time>)")
    .option("--set <key=value>", "override a key of the recipe (repeatable)", collect, [])
    .option("--json", "progress as JSON lines")
    .action((options: DemoOptions) =>
      interruption.during(async (signal) => {
        const reporter = createReporter(options);
        try {
          const recipe = fileURLToPath(new URL("../../recipes/demo.yaml", import.meta.url));
          const { folder, evaluations } = await train(recipe, options, reporter, signal);
          for (const { step, stage, summary } of evaluations) {
            reporter.message(`\n${labels[stage] ?? stage} (step ${step})\n${formatSummary(summary)}`);
          }
          reporter.message(`\nrun folder: ${folder}`);
        } finally {
          reporter.close();
        }
      }),
    );
}

const labels: Readonly<Record<string, string>> = {
  start: "Untrained",
  sft: "Before GRPO: after supervised fine-tuning",
  grpo: "After GRPO",
  dr_grpo: "After Dr. GRPO",
};
