/**
 * What a report of 10,000 questions with everything on costs beside the answers: every counted and fitted baseline, yes/no
 * questions as a test, gaps between groups, intervals and verdict. Questions, answers and tower vectors are made up.
 * usage: npx tsx bench/report-speed.ts [QUESTIONS=10000] [--apart]
 * Everything at once as viva eval does it, in time that passes and processor time; --apart: one part after the other.
 */
import { parseArgs } from "node:util";
import { integer, normal, randomKey, uniform } from "../src/core/random.ts";
import type { Example, ImageRef } from "../src/core/records.ts";
import { phantomWorld } from "../src/data/phantom/world/world.ts";
import {
  type Answers,
  conventionalBaselines,
  conventionalFeatures,
  evaluateAnswers,
  formatSummary,
  nearestNeighbour,
  questionRegression,
  towerNeighbour,
} from "../src/evaluate/index.ts";

const { values, positionals } = parseArgs({ options: { apart: { type: "boolean" } }, allowPositionals: true });
const count = Number(positionals[0] ?? 10_000);
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

let [last, since] = [process.cpuUsage(), performance.now()];
function lap(what: string): void {
  const { user, system } = process.cpuUsage(last);
  const [spent, passed] = [(user + system) / 1e6, (performance.now() - since) / 1000];
  console.log(`${what.padEnd(34)}${spent.toFixed(1).padStart(7)}${passed.toFixed(1).padStart(8)}`);
  [last, since] = [process.cpuUsage(), performance.now()];
}

const [examples, train] = [await questions("test"), await questions("train")];
const seen = await embed([...examples, ...train].flatMap(({ images }) => images));
const answered = examples.map((example, i) => {
  const right = example.answerType === "choice" ? "A" : example.answer;
  return [{ text: uniform(randomKey(3, "answer", i), 0) < 0.6 ? right : "no" }];
});
console.log(`${examples.length} questions, ${train.length} to fit to, ${seen.size} images`);
console.log(`${"seconds".padEnd(34)}${"of CPU".padStart(7)}${"passed".padStart(8)}`);
const begun = [process.cpuUsage(), performance.now()] as const;
[last, since] = begun;

/** What is told apart is awaited before the next begins. */
async function part<T>(what: string, promise: Promise<T>): Promise<T> {
  const found = await promise;
  if (values.apart) lap(what);
  return found;
}
type Parts = readonly (() => Promise<Readonly<Record<string, Answers>>>)[];
const features = await part("features, with their images", conventionalFeatures(examples, train, seen));
const fitting = (name: "lr" | "knn" | "gbdt") => () =>
  part(`conventional ${name}`, conventionalBaselines([name], examples, features));
const parts: Parts = [
  ...[fitting("lr"), fitting("knn"), fitting("gbdt")],
  () => part("question regression", questionRegression(examples, train)),
  () => part("nearest neighbour, with its images", nearestNeighbour(examples, train)),
  () =>
    part(
      "tower neighbour",
      towerNeighbour(examples, train, async () => seen),
    ),
];
const beside: Record<string, Answers> = {};
if (values.apart) for (const one of parts) Object.assign(beside, await one());
else for (const one of await Promise.all(parts.map((one) => one()))) Object.assign(beside, one);
if (!values.apart) lap("all baselines");
const yes = Object.fromEntries(
  Object.entries(beside).flatMap(([name, found]) => ("yes" in found ? [[name, found.yes as (number | null)[]]] : [])),
);
const { summary } = evaluateAnswers(
  examples,
  { predictions: answered, style: "plain", thinkOpened: false },
  { checkpoint: "none", train, yes, subgroups: ["sex", "modality"], beside },
);
formatSummary(summary);
lap("scores, intervals, gaps, verdict");
[last, since] = begun;
lap("together");
