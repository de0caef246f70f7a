/** viva compare: evaluations of the same questions, each against the first, question by question. */
import { basename } from "node:path";
import { Command, Option } from "commander";
import { UserError } from "../core/errors.ts";
import { CONDITIONS, type ConditionName } from "../evaluate/conditions.ts";
import { collect, wholeNumber } from "./arguments.ts";
import { outputOption, writeJson } from "./options.ts";

interface CompareOptions {
  readonly protocol?: string;
  readonly step?: number;
  readonly allow: readonly string[];
  readonly baseline: readonly string[];
  readonly out?: string;
  readonly json?: boolean;
}

export function compareCommand(): Command {
  const allowed = CONDITIONS.filter((condition) => condition !== "questions");
  return new Command("compare")
    .argument(
      "<evaluations...>",
      "files that viva eval --out wrote, run folders, or RUN@STEP; the first is the reference",
    )
    .addOption(
      new Option("--baseline <evaluation>", "one more that an arm must beat to be called improved, repeatable")
        .argParser((text: string, earlier: readonly string[]) => collect(text, earlier))
        .default([], "the reference alone"),
    )
    .option("--protocol <name>", "where files have several (default: the first in the file)")
    .option("--step <n>", "of runs, the evaluation after this step (default: the last)", wholeNumber(0))
    .addOption(
      new Option("--allow <condition>", `compare although this differs, repeatable: ${allowed.join(", ")}`)
        .argParser((text: string, earlier: readonly string[]) => collect(text, earlier))
        .default([], "none"),
    )
    .addOption(outputOption("--out <file>", "the comparison as one JSON object (schema: docs/schemas)"))
    .option("--json", "print it as JSON in place of the tables")
    .action(async (paths: readonly string[], o: CompareOptions) => {
      const wrong = o.allow.find((name) => !allowed.some((condition) => condition === name));
      if (wrong !== undefined) throw new UserError(`--allow ${wrong}: one of ${allowed.join(", ")}`);
      const { compareEvaluations, formatComparison, readEvaluation } = await import("../evaluate/index.ts");
      const labels = labelsOf([...paths, ...o.baseline]);
      const read = [...paths, ...o.baseline].map((path, i) => readEvaluation(path, labels[i]!, o));
      const [arms, baselines] = [read.slice(0, paths.length), read.slice(paths.length)];
      const comparison = compareEvaluations(arms, { allow: o.allow as readonly ConditionName[], baselines });
      if (o.out !== undefined) writeJson(o.out, comparison);
      console.log(o.json ? JSON.stringify(comparison) : formatComparison(comparison));
    });
}

/** Names without folders and ending, where these tell the arms apart. */
function labelsOf(paths: readonly string[]): readonly string[] {
  const repeated = paths.find((path, i) => paths.indexOf(path) < i);
  if (repeated !== undefined) throw new UserError(`${repeated}: named twice; an evaluation is compared with others`);
  const names = paths.map((path) => basename(path).replace(/\.jsonl$/, ""));
  return new Set(names).size === names.length ? names : paths;
}
