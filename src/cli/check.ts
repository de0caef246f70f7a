/** viva check: what a recipe names, what its data hold, whether it fits into memory here, and what its rewards say. */
import { Command } from "commander";
import { UserError } from "../core/errors.ts";
import { collect, type Interruption, wholeNumber } from "./arguments.ts";
import { downloadReporter } from "./options.ts";

interface CommandOptions {
  readonly set: readonly string[];
  readonly sample: number;
  readonly checkpoint?: string;
  readonly json?: boolean;
}

export function checkCommand(interruption: Interruption): Command {
  return new Command("check")
    .argument("<recipe>", "YAML file")
    .option("--set <key=value>", "override a key of the recipe, e.g. model.path=FOLDER (repeatable)", collect, [])
    .option("--sample <n>", "let each stage that samples answer n questions; 0 runs no model", wholeNumber(0), 0)
    .option("--checkpoint <path>", "with --sample: answer from a run's checkpoint (default: the recipe's model)")
    .option("--json", "print one JSON object")
    .action((file: string, { set, sample, json, ...options }: CommandOptions) =>
      interruption.during(async (signal) => {
        const { checkpoint = null } = options;
        if (checkpoint !== null && sample === 0) throw new UserError("--checkpoint needs --sample");
        const [{ checkRecipe }, { loadRecipe }, { formatCheck }] = await Promise.all([
          import("../pipeline/check-recipe.ts"),
          import("../recipes/load.ts"),
          import("./check-found.ts"),
        ]);
        const o = { sample, checkpoint, signal, reporter: downloadReporter() };
        const found = await checkRecipe(loadRecipe(file, set).recipe, o);
        console.log(json ? JSON.stringify(found) : formatCheck(found));
        if (!found.can_run) process.exitCode = 1;
      }),
    );
}
