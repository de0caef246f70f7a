/** What viva audit does; its options are in audit.ts. */
import { dirname } from "node:path";
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
import { downloadReporter, writeJson, writeJsonLines } from "./options.ts";
import type { QuestionOptions } from "./question-options.ts";
import { type AskedQuestions, loadQuestions } from "./questions.ts";

export interface AuditCommandOptions extends QuestionOptions {
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

export async function audit(
  checkpoint: string | undefined,
  given: AuditCommandOptions,
  signal: AbortSignal,
): Promise<void> {
  const protocol = findProtocol(given.protocol).name as ProtocolName;
  if ((checkpoint === undefined) === (given.endpoint === undefined)) {
    throw new UserError("viva audit needs one of: a checkpoint, --endpoint URL");
  }
  if ((given.endpoint === undefined) !== (given.model === undefined)) {
    throw new UserError("--endpoint URL and --model NAME belong together");
  }
  const { asked: o, examples } = await loadQuestions(checkpoint, given, signal, { train: false });
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
  o: AuditCommandOptions & AskedQuestions,
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
