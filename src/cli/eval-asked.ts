/** What viva eval does; its options are in eval.ts. */
import { UserError } from "../core/errors.ts";
import { percent } from "../core/percent.ts";
import type { Example } from "../core/records.ts";
import { overlapOf } from "../data/index.ts";
import {
  breakdown,
  type EvalItem,
  type EvalSummary,
  type Evaluation,
  evaluateAnswers,
  evaluationResults,
  findProtocol,
  formatSummary,
  type ProtocolName,
  type ScaleSweep,
  sampleRecords,
  scaleSweep,
  unaskedTags,
} from "../evaluate/index.ts";
import { trainedOn } from "../session/checkpoint.ts";
import { openVocabulary } from "../session/reward-services.ts";
import { tableTeller } from "../session/tables.ts";
import { type AskedEvaluation, answered, type EvalOptions } from "./eval-answers.ts";
import { baselinesBeside } from "./eval-baselines.ts";
import { writeJson, writeJsonLines } from "./options.ts";
import { describeQuestions, loadQuestions, tellOverlap } from "./questions.ts";

export async function evaluate(checkpoint: string | undefined, given: EvalOptions, signal: AbortSignal): Promise<void> {
  const names = [...new Set(given.protocol ?? ["viva"])].map((name) => findProtocol(name).name as ProtocolName);
  checkOptions(checkpoint, given);
  const { asked: o, examples, train, validation, copies } = await askedQuestions(checkpoint, given, signal);
  const own = checkpoint === undefined ? null : await trainedOn(checkpoint);
  const isJudged = train !== null && overlapOf(train, examples, copies) !== null;
  const ofRun = own === null || isJudged ? [] : await tellOverlap(o, own.examples, examples, train ?? []);
  const seen = [...(train ?? []), ...(own?.examples ?? [])];
  const { answers, subject, conditions, done } = await answered(checkpoint, examples, train, o, signal);
  const beside = await baselinesBeside(checkpoint, { examples, train, validation }, o, signal);
  const known = { train, seen, copies: new Map([...copies, ...ofRun]), unseen: own?.unknown ?? null };
  const scoring = {
    checkpoint: subject,
    ...known,
    ...(own === null ? {} : { tuningTrials: own.tuningTrials }),
    beside: beside.answers,
    validation: { examples: validation, beside: beside.validation },
    conditions,
    subgroups: o.subgroups ?? [],
    missedCost: o.missedCost,
    ...beside.fitted,
  };
  const hasFacts = examples.some(({ facts }) => facts !== undefined);
  const vocabulary = hasFacts ? { vocabulary: openVocabulary(null) } : {};
  const evaluations = names.map((protocol) =>
    evaluateAnswers(examples, answers, { ...scoring, ...vocabulary, protocol }),
  );
  const summaries: EvalSummary[] = [];
  for (const evaluation of evaluations) {
    summaries.push({ ...evaluation.summary, ...(await scaled(evaluation, examples, beside, o)) });
  }
  const lines = evaluations.flatMap(({ items }, i) => [
    ...items.map((item) => ({ kind: "item", ...item })),
    { kind: "summary", ...summaries[i] },
  ]);
  writeJsonLines(o.out, lines);
  const about = {
    data: describeQuestions(o, examples.length),
    subject,
    prompt: conditions.prompt?.style ?? null,
  };
  const results = evaluationResults(about, summaries);
  if (o.results !== undefined) writeJson(o.results, results);
  if (o.samples !== undefined) writeJsonLines(o.samples, sampleRecords(evaluations.map(({ items }) => items)));
  done();
  beside.done();
  const texts = answers.predictions.flatMap((own) => own.map(({ text }) => text));
  const tags = unaskedTags(answers.style, texts);
  if (tags !== null) console.error(`warning: ${tags}`);
  if (o.json) return console.log(JSON.stringify(summaries.length === 1 ? summaries[0] : results));
  for (const [i, { items }] of evaluations.entries()) {
    console.log(formatSummary(summaries[i]!));
    for (const line of strataLines(items)) console.log(line);
  }
  console.log(`items: ${o.out}`);
}

/** The scale sweep of conventional models against the answers, where it was asked for. */
async function scaled(
  { items, summary }: Evaluation,
  examples: readonly Example[],
  { features }: Awaited<ReturnType<typeof baselinesBeside>>,
  { scale, scaleDraws: draws, conventional, seed }: AskedEvaluation,
): Promise<{ readonly scale?: ScaleSweep }> {
  if (scale === undefined || features === null) return {};
  const protocol = summary.protocol as ProtocolName;
  const options = { sizes: scale, draws, seed, protocol, blocksOf: features.blocksOf };
  return { scale: await scaleSweep(conventional!, examples, features.train, items, options) };
}

/** The questions, the training split and validation questions, their tables told where a file says how. */
async function askedQuestions(checkpoint: string | undefined, o: EvalOptions, signal: AbortSignal) {
  const { validation: split = "validation" } = o;
  const asked = split === "none" ? null : { split, required: o.validation !== undefined };
  const loaded = await loadQuestions(checkpoint, o, signal, { validation: asked });
  if (o.table === undefined) return loaded;
  const tell = tableTeller(o.table, loaded.train ?? []);
  const { examples, train, validation } = loaded;
  return { ...loaded, examples: examples.map(tell), train: train?.map(tell) ?? null, validation: validation.map(tell) };
}

function checkOptions(checkpoint: string | undefined, o: EvalOptions): void {
  if ([checkpoint, o.predictions, o.endpoint].filter((given) => given !== undefined).length !== 1) {
    throw new UserError("viva eval needs one of: a checkpoint, --endpoint URL, --predictions FILE");
  }
  if (o.endpoint !== undefined && o.engine !== undefined) {
    throw new UserError("--endpoint asks a model elsewhere, and --engine computes a checkpoint: give one of them");
  }
  if (o.engine === undefined && (o.endpoint === undefined) !== (o.model === undefined)) {
    throw new UserError("--endpoint URL and --model NAME belong together");
  }
  if (o.scale !== undefined && o.conventional === undefined) {
    throw new UserError(
      "--scale asks from how many training questions conventional models win: name them with --conventional",
    );
  }
  if (o.balancedShots && o.shots === 0)
    throw new UserError("--balanced-shots says how --shots N are chosen: give both");
  if (o.shots > 0 && o.predictions !== undefined) {
    throw new UserError("--shots stand before questions that are asked, and --predictions has answered already");
  }
  if (o.topP === 0) throw new UserError("--top-p must be above 0");
  if (o.numGenerations > 1 && o.temperature === 0) {
    throw new UserError("--num-generations above 1 needs a --temperature above 0: all answers would be the same");
  }
  if (o.baseline !== undefined && o.predictions !== undefined) {
    throw new UserError("--baseline asks the model again, and --predictions has none to ask");
  }
  if (checkpoint === undefined && (o.stop ?? o.route) !== undefined) {
    throw new UserError("--stop and --route control a checkpoint on this machine: name one");
  }
  if (o.towerNeighbour && checkpoint === undefined) {
    throw new UserError(
      "--tower-neighbour looks through a checkpoint's vision tower, and there is none: name a checkpoint",
    );
  }
  if (o.baselineModel === "own" && checkpoint === undefined) {
    throw new UserError("--baseline-model own needs a run or an adapter; name a model in place of own");
  }
}

function strataLines(items: readonly EvalItem[]): readonly string[] {
  return ["content_type", "modality", "question_type"].flatMap((stratum) => {
    const rows = breakdown(items, stratum);
    const parts = rows.map(({ value, accuracy }) => `${value} ${percent(accuracy.estimate)} (${accuracy.n})`);
    return rows.length > 1 ? [`${stratum}: ${parts.join(", ")}`] : [];
  });
}
