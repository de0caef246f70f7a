/** Scores a file of answers, JSONL rows {example_id, prediction}: npx tsx examples/score-answers.ts answers.jsonl */
import { loadDataset } from "viva-rl/data";
import { evaluateAnswers, formatSummary, readPredictions } from "viva-rl/evaluate";

const file = process.argv[2]!;
const train = await loadDataset({ name: "phantom", split: "train", limit: 200, seed: 1 });
const test = await loadDataset({ name: "phantom", split: "test", limit: 40, seed: 1 });
const answers = readPredictions(file, test, "answer_only");
const { summary, items } = evaluateAnswers(test, answers, { checkpoint: file, train });
console.log(formatSummary(summary));
for (const item of items.filter(({ strict }) => strict === 0).slice(0, 3)) {
  console.log(`wrong: ${item.question} ${JSON.stringify(item.prediction)}, expected ${JSON.stringify(item.answer)}`);
}
