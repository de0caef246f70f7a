/** viva study: a grid of arms and seeds; what it takes is loaded when it runs. */
import { Command } from "commander";
import { UserError } from "../core/errors.ts";
import { type Interruption, wholeNumber } from "./arguments.ts";
import { rayOption, resourcesOption } from "./on-ray.ts";
import type { StudyOptions } from "./study-run.ts";

export function studyCommand(interruption: Interruption, version: string): Command {
  return new Command("study")
    .argument("[study]", "YAML file; may be left out with --resume")
    .option("--run <folder>", "study folder (default: runs/<name>-<time>)")
    .option("--resume", "go on with the study in --run; what is finished is not run again")
    .option("--plan", "time a few steps, print the plan with its estimate, and run nothing")
    .option("--quick", "the short form that the study file describes")
    .option("--arms <names>", "only these arms, the reference and what they start from (a,b,c)", names)
    .option("--seeds <numbers>", "only these of the study's seeds (1,2)", numbers)
    .option(
      "--jobs <n>",
      "runs at the same time; give each its share of the cores by engine.threads (default: 1, with --ray all)",
      wholeNumber(1),
    )
    .addOption(rayOption())
    .addOption(resourcesOption())
    .option("--json", "progress as JSON lines, the results last; with --plan one JSON object")
    .action((file: string | undefined, options: StudyOptions) =>
      interruption.during(async (signal) => {
        const { study } = await import("./study-run.ts");
        await study(file, options, version, signal);
      }),
    );
}

function names(text: string): readonly string[] {
  return text.split(",").map((name) => name.trim());
}

function numbers(text: string): readonly number[] {
  return names(text).map((part) => {
    if (/^\d+$/.test(part)) return Number(part);
    throw new UserError(`--seeds ${text}: expected whole numbers with commas between them, such as 1,2`);
  });
}
