/**
 * What the second turn of completions costs with and without going on from kept keys and values: `npx tsx
 * bench/tool-turns.ts`. viva-tiny-instruct has not learnt to call tools, so its turns end at `</think>`; then each is shown a
 * crop. Printed are the tokens of the prompts, those that were computed, and the seconds of computing them.
 */
import { fileURLToPath } from "node:url";
import { encodeOptions, encodeQuestion, promptStyle } from "../src/answers/prompts.ts";
import { promptWithTools } from "../src/answers/tool-prompt.ts";
import type { Completion, Prompt, SamplingOptions } from "../src/core/records.ts";
import { loadDataset } from "../src/data/index.ts";
import { openLocalEngine } from "../src/engine/local/local-engine.ts";
import { openProcessor } from "../src/models/index.ts";
import { environmentSchema, openEnvironment } from "../src/tools/index.ts";

const folder = fileURLToPath(new URL("../assets/viva-tiny-instruct", import.meta.url));
const processor = await openProcessor(folder);
const { tools, step } = await openEnvironment(environmentSchema.parse("viewer_tools"));
const examples = await loadDataset({ name: "phantom_looks", split: "train", limit: 8, seed: 1, own: {} });
const sampling: SamplingOptions = {
  ...{ numGenerations: 4, maxCompletionLength: 64, temperature: 1, topP: 1, topK: 0, seed: 5, step: 1 },
  stopText: "</think>",
};

async function measure(prefixBytes: number, style: ReturnType<typeof promptStyle>) {
  const prompts = await Promise.all(examples.map((example) => encodeQuestion(processor, example, style)));
  const seen = await Promise.all(
    examples.map(async (example) => {
      const { image } = await step(example, { name: "crop", arguments: { box: [20, 30, 48, 58] } });
      return processor.encodeTurn([{ type: "image", image: image! }], encodeOptions(style));
    }),
  );
  const engine = await openLocalEngine(
    {
      ...{ modelFolder: folder, initialise: "pretrained", seed: 1, freeze: [], lora: null, prefixBytes },
      ...{ threads: 1, microBatchTokens: 4096, rows: 32 },
    },
    processor,
  );
  const sample = async (asked: readonly Prompt[], o: SamplingOptions) => {
    const found: (readonly Completion[])[] = [];
    for await (const { index, completions } of engine.policy.sample(asked, o)) found[index] = completions;
    return { found, seconds: engine.samplingSeconds!.prompts };
  };
  const { found: first } = await sample(prompts, sampling);
  const going = first.flatMap((completions, i) =>
    completions.flatMap(({ tokenIds, text }) => {
      if (!text.endsWith("</think>")) return [];
      const { tokenIds: before, images, text: asked } = prompts[i]!;
      const own = seen[i]!;
      const all = Int32Array.from([...before, ...tokenIds, ...own.tokenIds]);
      return [{ text: asked, tokenIds: all, images: [...images, ...own.images], behind: own.tokenIds.length + 1 }];
    }),
  );
  const each = going.map((_, i) => ({ draws: [i, 0, 1], maxCompletionLength: 1 }));
  const { seconds } = await sample(going, { ...sampling, numGenerations: 1, each });
  await engine.close();
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const tokens = sum(going.map(({ tokenIds }) => tokenIds.length));
  const computed = prefixBytes === 0 ? tokens : sum(going.map(({ behind }) => behind));
  return { turns: going.length, tokens, computed, seconds };
}

const style = promptWithTools(promptStyle("think_answer"), tools);
for (const prefixBytes of [512e6, 0, 512e6, 0]) {
  const { turns, tokens, computed, seconds } = await measure(prefixBytes, style);
  const per = (value: number) => (value / turns).toFixed(0);
  console.log(
    `${prefixBytes === 0 ? "computed again" : "kept"}: ${turns} turns, ${per(tokens)} tokens each, ${per(computed)} computed, ${((1000 * seconds) / turns).toFixed(1)} ms each`,
  );
}
