/**
 * Does a model's thought pay? Its accuracy on questions of phantom_deep with its thought, and on the same questions where
 * they end in "Answer at once.", with the paired difference and the lengths, by kind of question.
 * usage: npx tsx scripts/thought-pays.ts CHECKPOINT [--limit 500] [--kinds rule_size,change] [--modality ct]
 */
import { parseArgs } from "node:util";
import { pairedBootstrap } from "../src/evaluate/index.ts";
import { evaluate } from "../src/library/evaluate-model.ts";

const text = { type: "string" } as const;
const { values, positionals } = parseArgs({
  options: { limit: text, kinds: text, modality: text },
  allowPositionals: true,
});
const [checkpoint] = positionals;
if (checkpoint === undefined) throw new Error("thought-pays: name a checkpoint");

const [thought, once] = [await answers(0), await answers(1)];
const kinds = [...new Set(thought.map(({ strata }) => strata["question_type"]!))].sort();
console.log("kind            n     with thought  at once  difference [95 %]      tokens, with and without");
for (const kind of [...kinds, null]) row(kind);

/** Items of the same patients; with `hasty` 1 every question asks for an answer at once. */
async function answers(hasty: 0 | 1) {
  const { limit = "500", modality = null } = values;
  const own = { difficulty: 0, hasty, modality, kinds: values.kinds?.split(",") ?? null };
  const data = { name: "phantom_deep", split: "test", seed: 77, limit: Number(limit), own };
  return (await evaluate(checkpoint!, data, { prompt: "think_answer", maxCompletionLength: 220 })).items;
}

function row(kind: string | null): void {
  const chosen = (items: typeof thought) =>
    items.filter(({ strata }) => kind === null || strata["question_type"] === kind);
  const [a, b] = [chosen(thought), chosen(once)];
  const strict = (items: typeof thought) => items.map((item) => item.strict);
  const difference = pairedBootstrap(
    strict(a),
    strict(b),
    a.map(({ subject_id }) => subject_id),
  )!;
  const share = (items: typeof thought) => percent(strict(items).reduce<number>((sum, one) => sum + one, 0) / a.length);
  const tokens = (items: typeof thought) =>
    Math.round(items.reduce((sum, item) => sum + (item.tokens ?? 0), 0) / items.length);
  const { estimate, low, high } = difference;
  console.log(
    `${(kind ?? "all").padEnd(14)} ${String(a.length).padStart(4)}  ${share(a).padStart(12)}  ${share(b).padStart(7)}  ` +
      `${`${percent(estimate)} [${percent(low)}, ${percent(high)}]`.padEnd(22)} ${tokens(a)}, ${tokens(b)}`,
  );
}

function percent(value: number): string {
  return (100 * value).toFixed(1);
}
