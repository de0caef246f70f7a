/**
 * What a report of 10,000 questions with everything on costs beside the answers: every counted and fitted baseline, yes/no
 * questions as a test, gaps between groups, intervals and verdict. Questions, answers and tower vectors are made up.
 * usage: npx tsx bench/report-speed.ts [QUESTIONS=10000]
 */
import { integer, normal, randomKey, uniform } from "../src/core/random.ts";
import type { Example, ImageRef } from "../src/core/records.ts";
import { phantomWorld } from "../src/data/phantom/world/world.ts";
import {
  conventionalBaselines,
  conventionalFeatures,
  evaluateAnswers,
  formatSummary,
  nearestNeighbour,
  questionRegression,
  towerNeighbour,
} from "../src/evaluate/index.ts";

const count = Number(process.argv[2] ?? 10_000);
const organs = ["liver", "lung", "heart", "brain", "kidney", "spleen"];
const findings = ["mass", "nodule", "effusion", "fracture", "opacity", "cyst", "edema", "stone"];

/** Five questions to an image: yes or no with a table, open ones, and choices. */
async function questions(split: string): Promise<readonly Example[]> {
  const images = await phantomWorld.load({ split, limit: Math.ceil(count / 5), seed: 1, own: { image_size: 112 } });
  return Array.from({ length: count }, (_, i) => {
    const key = randomKey(1, split, i);
    const organ = organs[integer(key, 0, 6)]!;
    const finding = findings[integer(key, 1, 8)]!;
    const other = (step: number) => findings[(findings.indexOf(finding) + step) % 8]!;
    const shown = images[Math.floor(i / 5) % images.length]!;
    const base = {
      ...{ id: `${split}${i}`, subjectId: shown.subjectId, images: shown.images.slice(0, 1), choices: [] },
      meta: { modality: shown.meta["modality"]!, sex: uniform(key, 2) < 0.5 ? "f" : "m" },
      facts: { table: { age: integer(key, 3, 80), crp: integer(key, 4, 100) } },
    };
    const view = integer(key, 5, 40);
    switch (i % 3) {
      case 0: {
        const question = `Is there a ${finding} in the ${organ} of this patient, as seen on view ${view}?`;
        return { ...base, question, answer: uniform(key, 6) < 0.4 ? "yes" : "no", answerType: "closed" };
      }
      case 1:
        return {
          ...base,
          question: `What is seen in the ${organ} on view ${view}?`,
          answer: finding,
          answerType: "open",
        };
      default: {
        const choices = [finding, other(1), other(3)];
        const question = `Which finding does the ${organ} show on view ${view}?`;
        return { ...base, question, choices, answer: finding, answerIndex: 0, answerType: "choice" };
      }
    }
  });
}

const embed = async (images: readonly ImageRef[]) =>
  new Map(
    images.map(({ path }) => {
      const key = randomKey(2, path);
      return [path, Float32Array.from({ length: 192 }, (_, i) => normal(key, i))] as const;
    }),
  );

let last = process.cpuUsage();
let total = 0;
function lap(what: string): void {
  const { user, system } = process.cpuUsage(last);
  const seconds = (user + system) / 1e6;
  total += seconds;
  console.log(`${what.padEnd(34)}${seconds.toFixed(1).padStart(6)} s`);
  last = process.cpuUsage();
}

const [examples, train] = [await questions("test"), await questions("train")];
const seen = await embed([...examples, ...train].flatMap(({ images }) => images));
const answered = examples.map((example, i) => {
  const right = example.answerType === "choice" ? "A" : example.answer;
  return [{ text: uniform(randomKey(3, "answer", i), 0) < 0.6 ? right : "no" }];
});
console.log(`${examples.length} questions, ${train.length} to fit to, ${seen.size} images; processor time`);
last = process.cpuUsage();
const words = questionRegression(examples, train);
lap("question regression");
const near = await nearestNeighbour(examples, train);
lap("nearest neighbour, with its images");
const tower = await towerNeighbour(examples, train, async () => seen);
lap("tower neighbour");
const features = await conventionalFeatures(examples, train, seen);
lap("features, with their images");
const fitted: Record<string, ReturnType<typeof conventionalBaselines>[string]> = {};
for (const name of ["lr", "knn", "gbdt"] as const) {
  Object.assign(fitted, conventionalBaselines([name], examples, features));
  lap(`conventional ${name}`);
}
const yes = Object.fromEntries(Object.entries(fitted).map(([name, { yes }]) => [name, yes]));
const { summary } = evaluateAnswers(
  examples,
  { predictions: answered, style: "plain", thinkOpened: false },
  {
    ...{ checkpoint: "none", train, yes, subgroups: ["sex", "modality"] },
    beside: { ...words, ...near, ...tower, ...fitted },
  },
);
formatSummary(summary);
lap("scores, intervals, gaps, verdict");
console.log(`${"together".padEnd(34)}${total.toFixed(1).padStart(6)} s`);
