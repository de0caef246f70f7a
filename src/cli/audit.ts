/** viva audit: an adaptive stress test that asks more where a model fails, and says where it is weakest. */
import { dirname } from "node:path";
import { Command } from "commander";
import type { Device } from "../core/device.ts";
import { UserError } from "../core/errors.ts";
import { percent } from "../core/percent.ts";
import type { Example } from "../core/records.ts";
import { alignColumns } from "../core/text-table.ts";
import {
  type AnswerSource,
  type AuditResults,
  auditDataset,
  datasetAuditResults,
  decodingOf,
  findProtocol,
  formatDatasetAudit,
  type ProtocolName,
  runAudit,
  unaskedTags,
  unreadableRole,
} from "../evaluate/index.ts";
import type { Reporter } from "../runs/reporter.ts";
import { openAuditRoles } from "../session/audit-roles.ts";
import type { PromptName } from "../session/checkpoint.ts";
import { openCheckpointSource, openEndpointSource } from "../session/evaluation-sources.ts";
import { openVocabulary } from "../session/reward-services.ts";
import { decimalNumber, type Interruption, wholeNumber } from "./arguments.ts";
import {
  deviceOption,
  downloadReporter,
  outOption,
  outputOption,
  promptOption,
  writeJson,
  writeJsonLines,
} from "./options.ts";
import { addQuestionOptions, loadQuestions, protocolOption, type QuestionOptions } from "./questions.ts";

interface AuditCommandOptions extends QuestionOptions {
  readonly endpoint?: string;
  readonly model?: string;
  readonly apiKeyEnv?: string;
  readonly roles?: string;
  readonly queries: number;
  readonly uniformFirst: number;
  readonly mix: number;
  readonly power: number;
  readonly protocol: string;
  readonly prompt?: PromptName;
  readonly device: Device;
  readonly maxCompletionLength?: number;
  readonly out: string;
  readonly samples?: string;
  readonly json?: boolean;
}

export function auditCommand(interruption: Interruption): Command {
  const command = new Command("audit")
    .argument("[checkpoint]", "as for viva eval")
    .option("--endpoint <url>", "in place of a checkpoint: an OpenAI-compatible address, as http://localhost:8000/v1")
    .option("--model <name>", "the model's name at --endpoint")
    .option("--api-key-env <name>", "environment variable that holds the endpoint's key")
    .option("--roles <file>", "write new questions by language models behind endpoints, and grade by one (YAML)")
    .option("--queries <n>", "questions asked", wholeNumber(16, 1_000_000), 400)
    .option("--uniform-first <share>", "share of queries before the draw adapts", decimalNumber(0, 1), 0.25)
    .option("--mix <share>", "share of uniform draws after that", decimalNumber(0.01, 1), 0.3)
    .option("--power <p>", "how strongly draws follow failures", decimalNumber(0, 8), 2);
  return addQuestionOptions(command)
    .addOption(protocolOption().default("viva"))
    .addOption(promptOption())
    .addOption(deviceOption())
    .option("--max-completion-length <n>", "tokens per answer (default: the run's, else 64)", wholeNumber(1))
    .addOption(outOption("the results as one JSON object (schema: docs/schemas)"))
    .addOption(outputOption("--samples <file>", "JSONL: one line per query with its weight and grade"))
    .option("--json", "print the results as JSON")
    .action((checkpoint: string | undefined, options: AuditCommandOptions) =>
      interruption.during((signal) => audit(checkpoint, options, signal)),
    );
}

async function audit(checkpoint: string | undefined, o: AuditCommandOptions, signal: AbortSignal): Promise<void> {
  const protocol = findProtocol(o.protocol).name as ProtocolName;
  if ((checkpoint === undefined) === (o.endpoint === undefined)) {
    throw new UserError("viva audit needs one of: a checkpoint, --endpoint URL");
  }
  if ((o.endpoint === undefined) !== (o.model === undefined)) {
    throw new UserError("--endpoint URL and --model NAME belong together");
  }
  const { examples } = await loadQuestions(checkpoint, o, signal, { train: false });
  const reporter = downloadReporter();
  const decoding = (own: number) => decodingOf({ maxCompletionLength: o.maxCompletionLength ?? own });
  const prompt = o.prompt === undefined ? {} : { prompt: o.prompt };
  const opened =
    checkpoint !== undefined
      ? await openCheckpointSource(checkpoint, { device: o.device, reporter, signal, decoding, ...prompt })
      : openEndpointSource({
          ...{ endpoint: o.endpoint!, model: o.model!, apiKeyEnv: o.apiKeyEnv, decoding, ...prompt },
          ...{ concurrency: 16, timeoutSeconds: 120, maxRetries: 5, maxTokensField: "max_tokens" as const },
        });
  try {
    if (o.roles !== undefined) return await auditByRoles(opened.source, examples, o, { reporter, signal });
    const { results, items } = await runAudit(opened.source, examples, {
      ...{ queries: o.queries, uniformFirst: o.uniformFirst, mix: o.mix, power: o.power, seed: o.seed },
      ...{ protocol, vocabulary: openVocabulary(null), signal },
      onProgress: (step, total) => reporter.step({ stage: "audit", step, total, metrics: {} }),
    });
    reporter.close();
    writeJson(o.out, results);
    if (o.samples !== undefined) writeJsonLines(o.samples, items);
    const tags = unaskedTags(
      opened.source.style,
      items.map(({ prediction }) => prediction),
    );
    if (tags !== null) console.error(`warning: ${tags}`);
    console.log(o.json ? JSON.stringify(results) : `${formatAudit(results)}\nresults: ${o.out}`);
  } finally {
    reporter.close();
    await opened.close();
  }
}

/** The dataset mode: questions by a generator, references by readers, grades by a judge. */
async function auditByRoles(
  source: AnswerSource,
  examples: readonly Example[],
  o: AuditCommandOptions,
  { reporter, signal }: { readonly reporter: Reporter; readonly signal: AbortSignal },
): Promise<void> {
  const { roles, close, ...options } = openAuditRoles(o.roles!, dirname(o.out));
  requireStratum(examples, options.stratum, o.roles!);
  try {
    const audit = await auditDataset(source, examples, roles, {
      ...{ ...options, seed: o.seed, signal },
      onProgress: (step, total) => reporter.step({ stage: "audit", step, total, metrics: {} }),
    });
    const results = datasetAuditResults(audit);
    if (results === null) throw unreadableRole("judge", audit.replies.judge.replies);
    reporter.close();
    writeJson(o.out, results);
    if (o.samples !== undefined) writeJsonLines(o.samples, audit.cases);
    console.log(o.json ? JSON.stringify(results) : `${formatDatasetAudit(results)}\nresults: ${o.out}`);
  } finally {
    await close();
  }
}

/** Categories begin as its values: without any there is nothing to audit. Throws UserError. */
function requireStratum(examples: readonly Example[], stratum: string, file: string): void {
  if (examples.some(({ meta }) => (meta[stratum] ?? "") !== "")) return;
  const known = [...new Set(examples.flatMap(({ meta }) => Object.keys(meta)))].sort();
  const there = known.length === 0 ? "the data has no strata" : `the data has ${known.join(", ")}`;
  throw new UserError(`${file}: no question has the stratum "${stratum}": ${there}`);
}

function formatAudit(results: AuditResults): string {
  const { queries, distinct, pool, failures, failure_rate, poor_reason_rate, mean_grade, weakest } = results;
  const rows = weakest.map(({ attributes, queries, failures, rate, low }) => [
    Object.entries(attributes)
      .map(([name, value]) => `${name} ${value}`)
      .join(", "),
    String(queries),
    String(failures),
    percent(rate),
    percent(low),
  ]);
  return [
    `${queries} queries, ${distinct} of ${pool} questions; mean grade ${mean_grade.toFixed(2)} of 10`,
    `failures (grade 3 or less): ${failures} as drawn; rate in the pool, without bias: ${percent(failure_rate)} %`,
    `right answers with a poor reason among them: ${percent(poor_reason_rate)} % of the pool, without bias`,
    ...(rows.length === 0
      ? []
      : ["", ...alignColumns([["weakest cells", "queries", "failures", "rate %", "at least"], ...rows], 1), ""]),
  ].join("\n");
}
