/**
 * What trials of thoughts cost with and without going on from the keys and values of the thought: `npx tsx bench/trials.ts`.
 * viva-deep-instruct answers the same questions plainly and with a trial after each sentence, none of which ends a thought.
 * Seconds are of the processor, since others may use the machine.
 */
import { resolve } from "node:path";
import { encodeQuestion, opensThought, promptStyle } from "../src/answers/prompts.ts";
import { sentenceEnds } from "../src/control/sentences.ts";
import { stoppedPolicy } from "../src/control/stopped-policy.ts";
import { answerPrompt } from "../src/control/trial.ts";
import type { Completion } from "../src/core/records.ts";
import { loadDataset } from "../src/data/index.ts";
import { openLocalEngine } from "../src/engine/local/local-engine.ts";
import { openProcessor } from "../src/models/index.ts";

const folder = resolve(import.meta.dirname, "../assets/viva-deep-instruct");
const processor = await openProcessor(folder);
const own = { image_size: 112, difficulty: 0, kinds: ["ring", "rule_table", "change"] };
const examples = await loadDataset({ name: "phantom_deep", split: "test", seed: 1, limit: 24, own });
const prompts = await Promise.all(examples.map((one) => encodeQuestion(processor, one, promptStyle("think_answer"))));
const sampling = {
  ...{ numGenerations: 2, maxCompletionLength: 220, temperature: 1, topP: 1, topK: 0, seed: 0, step: 0 },
};

for (const prefixBytes of [512e6, 0, 512e6, 0]) {
  const engine = await openLocalEngine(
    {
      ...{ modelFolder: folder, initialise: "pretrained", seed: 1, freeze: [], lora: null, prefixBytes },
      ...{ threads: 1, microBatchTokens: 4096, rows: 16 },
    },
    processor,
  );
  const answer = async (minSentences: number) => {
    const rule = { stop: "confidence", score: "avg2", threshold: 2, minSentences } as const;
    const found: (readonly Completion[])[] = [];
    const before = process.cpuUsage();
    for await (const { index, completions } of stoppedPolicy(engine, processor, rule).sample(prompts, sampling)) {
      found[index] = completions;
    }
    const { user, system } = process.cpuUsage(before);
    return { seconds: (user + system) / 1e6, found };
  };
  await answer(1); // compiles
  const [plain, tried] = [await answer(1000), await answer(1)];
  await engine.close();
  const trials = tried.found.flatMap((completions, i) =>
    completions.flatMap(({ tokenIds }) => {
      const ids = [...tokenIds];
      return sentenceEnds(ids, processor.decode, opensThought(prompts[i]!.text)).map((at) => {
        const { prompt, inducer } = answerPrompt(
          prompts[i]!,
          ids.slice(0, at),
          sampling.maxCompletionLength,
          processor,
        );
        return { whole: prompt.tokenIds.length, behind: inducer.length };
      });
    }),
  );
  const mean = (of: (trial: (typeof trials)[number]) => number) =>
    (trials.reduce((total, trial) => total + of(trial), 0) / trials.length).toFixed(0);
  console.log(
    [
      `${prefixBytes === 0 ? "computed again" : "kept"}: ${trials.length} trials, ${mean(({ whole }) => whole)} tokens each`,
      `${mean(({ whole, behind }) => (prefixBytes === 0 ? whole : behind))} computed`,
      `${((1000 * (tried.seconds - plain.seconds)) / trials.length).toFixed(1)} ms each`,
      `${tried.seconds.toFixed(2)} s in all, ${plain.seconds.toFixed(2)} s without trials`,
    ].join(", "),
  );
}
