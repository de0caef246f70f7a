/**
 * Scores a file of answers, JSONL rows {example_id, prediction}: npx tsx examples/score-answers.ts answers.jsonl
 * With --write it makes such a file first, half of it right.
 */
import { writeFileSync } from "node:fs";
import { loadDataset } from "viva-rl/data";
import { evaluateAnswers, formatSummary, readPredictions } from "viva-rl/evaluate";

const file = process.argv.at(-1)!;
const train = await loadDataset({ name: "phantom", split: "train", limit: 200, seed: 1 });
const test = await loadDataset({ name: "phantom", split: "test", limit: 40, seed: 1 });

if (process.argv.includes("--write")) {
  const rows = test.map(({ id, answer }, i) => ({
    example_id: id,
    prediction: i % 2 === 0 ? answer : "I do not know",
  }));
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}
const answers = readPredictions(file, test, "plain");
const { summary, items } = evaluateAnswers(test, answers, { checkpoint: file, train });
console.log(formatSummary(summary));
for (const item of items.filter(({ strict }) => strict === 0).slice(0, 3)) {
  console.log(`wrong: ${item.question} ${JSON.stringify(item.prediction)}, expected ${JSON.stringify(item.answer)}`);
}
