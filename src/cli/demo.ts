/** viva demo: reinforcement against supervised learning, from the small model that ships, in under five minutes on two cores. */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { percent, points } from "../core/percent.ts";
import { shellWord } from "../core/shell-word.ts";
import type { EvalSummary } from "../evaluate/index.ts";
import { readJsonl } from "../runs/jsonl.ts";
import { createReporter } from "../runs/reporter.ts";
import { defaultRunFolder, runPaths } from "../runs/run-folder.ts";
import type { PairedChange } from "../runs/statistics-records.ts";
import { collect, type Interruption } from "./arguments.ts";
import { report } from "./report.ts";
import { train } from "./train.ts";

interface DemoOptions {
  readonly run?: string;
  readonly set: readonly string[];
  readonly json?: boolean;
}

/** The model before either. */
const UNTUNED = "as it ships";

/** What is compared, in the order in which it is trained; the first also measures the model as it ships. */
const arms = { sft: "supervised on the answers", grpo: "GRPO" } as const;

/** The same as what is done. */
const ways = { sft: "supervised on the answers", grpo: "by GRPO" } as const satisfies Record<keyof typeof arms, string>;

export function demoCommand(interruption: Interruption): Command {
  return new Command("demo")
    .option("--run <folder>", "folder of the two runs (default: runs/demo-<time>)")
    .option("--set <key=value>", "override a key of both recipes (repeatable)", collect, [])
    .option("--json", "progress as JSON lines")
    .action((options: DemoOptions) =>
      interruption.during(async (signal) => {
        const reporter = createReporter(options);
        const folder = resolve(options.run ?? defaultRunFolder("demo"));
        const names = Object.keys(arms) as (keyof typeof arms)[];
        const folders = names.map((name) => join(folder, name));
        try {
          const results: EvalSummary[] = [];
          for (const [i, name] of names.entries()) {
            reporter.message(`half ${i + 1} of ${names.length}: the model as it ships, tuned ${ways[name]}`);
            const recipe = fileURLToPath(new URL(`../../recipes/demo-${name}.yaml`, import.meta.url));
            const { evaluations } = await train(recipe, { ...options, run: folders[i]! }, reporter, signal);
            results.push(...evaluations.map(({ summary }) => summary));
          }
          for (const line of await verdict(results, folders)) reporter.message(line);
          const { file } = await report(folders, join(folder, "report.html"), UNTUNED);
          reporter.message(`report: ${file}`);
          reporter.message(`to look at it step by step: viva ui ${shellWord(folder)}`);
        } finally {
          reporter.close();
        }
      }),
    );
}

/** Accuracy before and after, and the paired differences that decide. */
async function verdict(
  [untuned, ...tuned]: readonly EvalSummary[],
  folders: readonly string[],
): Promise<readonly string[]> {
  const { milestones, pairedChange } = await import("../evaluate/run-statistics.ts");
  const [first, ...others] = folders.map(milestones);
  const found = [first![0]!, first!.at(-1)!, ...others.map((run) => run.at(-1)!)];
  const names = [UNTUNED, ...Object.values(arms)];
  const seconds = [null, ...folders.map(trainingSeconds)];
  const rows = [untuned!, ...tuned].map(({ subsets }, i) => {
    const { estimate, low, high } = subsets.overall!.accuracy;
    const time = seconds[i] === null ? "" : `   trained for ${seconds[i]!.toFixed(0)} s`;
    return `${names[i]!.padEnd(WIDTH)}${percent(estimate)} % [${percent(low)}, ${percent(high)}]${time}`;
  });
  const last = found.length - 1;
  const changes = found
    .slice(0, last)
    .map(({ items }, i) => difference(`GRPO less ${names[i]}`, pairedChange(items, found[last]!.items)!));
  return [
    "",
    `Accuracy on ${found[last]!.items.length} questions about new images, 95 % intervals`,
    ...rows,
    ...changes,
    "",
  ];
}

function difference(name: string, { difference: found, won, lost, p }: PairedChange): string {
  const interval = `[${points(found.low)}, ${points(found.high)}]`;
  return `${name.padEnd(WIDTH)}${points(found.estimate)} ${interval}   ${won} questions won, ${lost} lost, p ${p.toExponential(0)}`;
}

/** Time of a run's steps, without evaluations. */
function trainingSeconds(folder: string): number {
  const steps = readJsonl<Readonly<Record<string, number>>>(runPaths(folder).metrics);
  return steps.reduce((sum, step) => sum + step["time/step_s"]!, 0);
}

const WIDTH = 38;
