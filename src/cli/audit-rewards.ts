/** viva rewards audit: whether a recipe's rewards, given scores, or preferences themselves go by the length of completions. */
import { Command } from "commander";
import { collect, type Interruption, wholeNumber } from "./arguments.ts";
import { downloadReporter, outputOption, writeJson } from "./options.ts";

interface AuditRewardsOptions {
  readonly recipe?: string;
  readonly set: readonly string[];
  readonly stage?: number;
  readonly limit?: number;
  readonly seed: number;
  readonly out?: string;
  readonly json?: boolean;
}

export function auditRewardsCommand(interruption: Interruption): Command {
  return new Command("audit")
    .description("find out whether rewards go by the length of completions rather than by what they say")
    .argument("<pairs>", "JSONL rows with a question and two completions, chosen (the better) and rejected")
    .option("--recipe <file>", "whose rewards are audited, judges included (default: scores in the rows, else none)")
    .option("--set <key=value>", "change a key of the recipe (repeatable)", collect, [])
    .option("--stage <n>", "whose rewards, where several stages sample", wholeNumber(0))
    .option("--limit <n>", "the first pairs only", wholeNumber(2))
    .option("--seed <n>", "shuffles the prompts", wholeNumber(0), 0)
    .addOption(outputOption("--out <file>", "the results as one JSON object (schema: docs/schemas)"))
    .option("--json", "print the results as JSON")
    .action((pairs: string, o: AuditRewardsOptions) => interruption.during((signal) => audit(pairs, o, signal)));
}

async function audit(file: string, o: AuditRewardsOptions, signal: AbortSignal): Promise<void> {
  const { formatLengthAudit, lengthAuditResults } = await import("../evaluate/index.ts");
  const { loadRecipe } = await import("../recipes/load.ts");
  const { auditGivenScores, auditRewards } = await import("../session/audited-rewards.ts");
  const { loadPairs } = await import("../session/pairs.ts");
  const pairs = (await loadPairs(file)).slice(0, o.limit);
  const reporter = downloadReporter();
  const asking = { stage: o.stage ?? null, seed: o.seed, reporter, signal };
  const onProgress = (step: number, total: number) => reporter.step({ stage: "audit", step, total, metrics: {} });
  const audits =
    o.recipe === undefined
      ? auditGivenScores(pairs)
      : await auditRewards(loadRecipe(o.recipe, o.set).recipe, pairs, { ...asking, onProgress });
  reporter.close();
  const results = lengthAuditResults({ file, pairs: pairs.length, seed: o.seed }, audits);
  if (o.out !== undefined) writeJson(o.out, results);
  console.log(o.json ? JSON.stringify(results) : formatLengthAudit(results));
}
