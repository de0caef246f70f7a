/**
 * Similarity of the reasoning to the reference: shared concepts, sentence embeddings, likelihood under the untuned
 * model.
 */
import { compareConcepts } from "../../answers/concepts/match.ts";
import { encodeOptions, questionMessages } from "../../answers/prompts.ts";
import type { Example } from "../../core/records.ts";
import { plainScoring } from "../../engine/engine.ts";
import { bootstrapStatistic } from "../bootstrap.ts";
import { type Measure, mean, valuesOf } from "./measure.ts";
import { defineProbe, defineTool, type ProbeContext, type Scorer } from "./probe.ts";
import { type Reasoned, reasoned } from "./reasoned.ts";
import { rewardValues } from "./reward-values.ts";
import { toolWords } from "./tool-options.ts";

const embedding = defineTool({
  ...toolWords.embedding,
  prepare({ encoder }) {
    return ({ openReward }) => openReward("semantic", { scorer: "embedding", encoder, reference: "rationale" });
  },
});

const untuned = defineTool({
  ...toolWords.untuned,
  prepare({ untuned }) {
    return ({ openScorer }) => openScorer(untuned);
  },
});

export const semantic = defineProbe({
  title: "the reasoning against the reference rationale; its perplexity under the untuned model",
  about: "reasoning",
  tools: { embedding, untuned },
  plan(context, { embedding, untuned }) {
    const { examples } = context;
    const rows = reasoned(context);
    if (typeof rows === "string") return rows;
    const referenced = rows.filter(({ example }) => (example.rationale ?? "").trim() !== "");
    if (referenced.length === 0 && untuned === null) {
      return "the data has no reference rationales, and no untuned model is given (--untuned)";
    }
    return {
      variants: [],
      async measure() {
        return [
          ...(referenced.length === 0 ? [] : [conceptF1(referenced, context)]),
          ...(embedding === null || referenced.length === 0
            ? []
            : [mean("embedding_similarity", "correlation", await rewardValues(embedding, referenced))]),
          ...(untuned === null ? [] : [await perplexity(rows, examples, untuned)]),
        ];
      },
    };
  },
});

function conceptF1(rows: readonly Reasoned[], { vocabulary }: ProbeContext): Measure {
  const values = valuesOf(rows, ({ rationale, example }) =>
    compareConcepts(rationale.text, example.rationale!, vocabulary),
  );
  return mean("concept_f1", "share", values);
}

/** Rationales scored per call. */
const BATCH = 16;

/**
 * Perplexity: exp of the mean negative log-prob of all rationale tokens, given the prompt and what precedes the
 * rationale.
 */
async function perplexity(
  rows: readonly Reasoned[],
  examples: readonly Example[],
  { policy, processor, prompt }: Scorer,
): Promise<Measure> {
  const lengths: number[] = [];
  const sums: number[] = [];
  for (let start = 0; start < rows.length; start += BATCH) {
    const groups = await Promise.all(
      rows.slice(start, start + BATCH).map(async ({ index, item, rationale }) => {
        const before = item.prediction.slice(0, rationale.start);
        const { assistantPrefix = "", ...rest } = encodeOptions(prompt);
        const messages = questionMessages(examples[index]!, prompt);
        const encoded = await processor.encode(messages, { ...rest, assistantPrefix: assistantPrefix + before });
        const tokenIds = processor.encodeCompletion(rationale.text).slice(0, -1); // the turn does not end here
        return { prompt: encoded, completions: [{ tokenIds, weight: 1, advantage: 0 }] };
      }),
    );
    for (const logProbs of (await policy.logProbs(groups, plainScoring)).logProbs) {
      lengths.push(logProbs.length);
      sums.push(logProbs.reduce((sum, value) => sum + value, 0));
    }
  }
  const interval = bootstrapStatistic(
    rows.map(({ item }) => item.subject_id),
    (times) => {
      let [tokens, total] = [0, 0];
      for (const [i, count] of times.entries()) {
        tokens += count * lengths[i]!;
        total += count * sums[i]!;
      }
      return Math.exp(-total / tokens);
    },
  );
  return { name: "perplexity_untuned", condition: null, unit: "number", interval };
}
