/** viva probe: reasoning quality, bias and robustness of a checkpoint, each by a named probe with intervals. */
import { Command, Option } from "commander";
import { probeNames } from "../evaluate/names.ts";
import { toolOptions } from "../evaluate/probes/tool-options.ts";
import { collect, type Interruption, wholeNumber } from "./arguments.ts";
import { checkpointArgument, deviceOption, outOption, outputOption, promptOption } from "./options.ts";
import type { ProbeOptions } from "./probe-asked.ts";
import { addQuestionOptions, protocolOption } from "./question-options.ts";

export function probeCommand(interruption: Interruption): Command {
  const command = new Command("probe").addArgument(checkpointArgument());
  addQuestionOptions(command)
    .addOption(
      new Option("--probe <name>", `which, repeatable: ${probeNames.join(", ")}`)
        .argParser((text: string, earlier: readonly string[] | undefined) => collect(text, earlier ?? []))
        .default(undefined, "all"),
    )
    .addOption(protocolOption().default("viva"))
    .addOption(promptOption())
    .addOption(deviceOption())
    .option("--step <n>", "checkpoint of a run (default: the newest)", wholeNumber(0))
    .option("--max-completion-length <n>", "tokens per answer (default: the run's, else 64)", wholeNumber(1));
  for (const { flags, about } of Object.values(toolOptions())) command.option(flags, about);
  return command
    .addOption(outOption("the results as one JSON object (schema: docs/schemas)"))
    .addOption(outputOption("--samples <file>", "JSONL: one row per answer"))
    .option("--json", "print the results as JSON")
    .action((checkpoint: string, options: ProbeOptions) =>
      interruption.during(async (signal) => {
        const { probe } = await import("./probe-asked.ts");
        await probe(checkpoint, options, signal);
      }),
    );
}
