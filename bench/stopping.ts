/**
 * What ending thoughts early costs and saves: a threshold chosen on validation questions, by trial answers and by options,
 * beside whole thoughts and beside ending every thought after the same sentence, on test questions. Nothing is trained, so
 * seeds are of the questions; "{seed}" in CHECKPOINT stands for the seed, for models that were trained with several.
 * usage: npx tsx bench/stopping.ts [CHECKPOINT] [--questions 104] [--seeds 1,2,3] [--length 80] [--sentences 1,2]
 *   [--data phantom_world] [--kinds ring,…] [--difficulty 0.2]
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { opensThought } from "../src/answers/prompts.ts";
import { calibrate } from "../src/control/calibrate.ts";
import { type StoppedOutcome, stoppedAt, stoppedBy, type ThoughtTrace, traceThoughts } from "../src/control/traces.ts";
import { meanOf } from "../src/core/mean.ts";
import { percent } from "../src/core/percent.ts";
import { alignColumns } from "../src/core/text-table.ts";
import { loadDataset } from "../src/data/index.ts";
import { scoreItems } from "../src/evaluate/index.ts";
import { encodeQuestion, type OpenedCheckpoint, openCheckpoint } from "../src/session/checkpoint.ts";

const text = { type: "string" } as const;
const { values, positionals } = parseArgs({
  options: { questions: text, seeds: text, length: text, sentences: text, data: text, kinds: text, difficulty: text },
  allowPositionals: true,
});
const checkpoint = positionals[0] ?? resolve(import.meta.dirname, "../assets/viva-tiny-instruct");
const limit = Number(values.questions ?? 104);
const sampling = {
  ...{ numGenerations: 1, temperature: 0, topP: 1, topK: 0, seed: 0, step: 0 },
  maxCompletionLength: Number(values.length ?? 80),
};

async function traced({ engine, processor, prompt }: OpenedCheckpoint, split: string, seed: number) {
  const kinds = values.kinds === undefined ? {} : { kinds: values.kinds.split(",") };
  const own = { image_size: 112, difficulty: Number(values.difficulty ?? 0.2), ...kinds };
  const examples = await loadDataset({ name: values.data ?? "phantom_world", split, seed, limit, own });
  const prompts = await Promise.all(examples.map((example) => encodeQuestion(processor, example, prompt)));
  const traces = await traceThoughts(engine.policy, processor, prompts, sampling);
  const options = { style: prompt.style, thinkOpened: opensThought(prompts[0]!.text) };
  const isRight = (i: number, { text }: StoppedOutcome) => scoreItems([examples[i]!], [text], options)[0]!.strict === 1;
  return { traces, isRight };
}

const table = new Map<string, { accuracy: number; spent: number; saved: number }[]>();
for (const seed of (values.seeds ?? "1,2,3").split(",").map(Number)) {
  const folder = checkpoint.replaceAll("{seed}", String(seed));
  const opened = await openCheckpoint(folder, { prompt: "think_answer", threads: 1 });
  const [validation, test] = [await traced(opened, "validation", seed), await traced(opened, "test", seed)];
  await opened.engine.close();
  const note = (name: string, rule: (trace: ThoughtTrace) => StoppedOutcome) => {
    const outcomes = test.traces.map(rule);
    const spent = meanOf(outcomes.map(({ tokens, trialTokens }) => tokens + trialTokens));
    const whole = meanOf(test.traces.map(({ full }) => full.tokens));
    const accuracy = meanOf(outcomes.map((outcome, i) => (test.isRight(i, outcome) ? 1 : 0)));
    table.set(name, [...(table.get(name) ?? []), { accuracy, spent, saved: 1 - spent / whole }]);
  };
  const whole = (trace: ThoughtTrace): StoppedOutcome => ({ ...trace.full, sentences: null, trialTokens: 0 });
  note("whole thoughts", whole);
  for (const sentences of (values.sentences ?? "1,2").split(",").map(Number))
    note(`after ${sentences} sentence${sentences > 1 ? "s" : ""}`, (t) => stoppedAt(t, sentences));
  for (const stop of ["confidence", "options"] as const) {
    const rule = { stop, minSentences: 1, score: "avg2" } as const;
    const { chosen } = calibrate(validation.traces, validation.isRight, rule);
    console.error(`seed ${seed}, ${stop}: threshold ${chosen ?? "none"}`);
    note(`by ${stop}, chosen on validation`, (trace) =>
      chosen === null ? whole(trace) : stoppedBy(trace, { ...rule, threshold: chosen }),
    );
    note(`by ${stop}, above 0.95`, (trace) => stoppedBy(trace, { ...rule, threshold: 0.95 }));
  }
}
const rows = [...table].map(([name, found]) => [
  name,
  found.map(({ accuracy }) => percent(accuracy)).join(", "),
  ...[percent(meanOf(found.map(({ accuracy }) => accuracy))), meanOf(found.map(({ spent }) => spent)).toFixed(1)],
  percent(meanOf(found.map(({ saved }) => saved))),
]);
const header = ["", "accuracy % by seed", "mean", "tokens with trials", "saved %"];
for (const line of alignColumns([header, ...rows], 1)) console.log(line);
