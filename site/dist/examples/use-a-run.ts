/** Measures a finished run on fresh questions and asks its model one: npx tsx examples/use-a-run.ts runs/mine */
import { evaluate, openModel } from "viva-rl";
import { loadDataset } from "viva-rl/data";
import { encodeQuestion } from "viva-rl/engine";
import { formatSummary } from "viva-rl/evaluate";

const run = process.argv[2]!;
const data = { name: "phantom_world", split: "test", limit: 26, seed: 3 };
const { summary } = await evaluate(run, data, { maxCompletionLength: 64 });
console.log(formatSummary(summary));

const { engine, processor, prompt } = await openModel(run);
const [example] = await loadDataset(data);
const asked = await encodeQuestion(processor, example!, prompt);
const greedy = { numGenerations: 1, maxCompletionLength: 64, temperature: 0, topP: 1, topK: 0, seed: 0, step: 0 };
for await (const { completions } of engine.policy.sample([asked], greedy)) {
  console.log(`${example!.question}\n${completions[0]!.text}\nreference: ${example!.answer}`);
}
await engine.close();
