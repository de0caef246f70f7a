import { expect, it } from "vitest";
import type { Example } from "../core/records.ts";
import { loadDataset } from "../data/index.ts";
import { conventionalAnswers } from "./conventional/answering.ts";
import { tableBlock } from "./conventional/table-block.ts";
import { numberFigures } from "./number-figures.ts";

const question = (id: string, value: number, event = true): Example => ({
  ...{ id, subjectId: id, question: "How long?", images: [], answer: `${value} months`, answerType: "numeric" },
  ...{ choices: [], target: { value, unit: "months", event }, meta: {} },
});

it("measures distance where the target is known, and order with censored times too", () => {
  const examples = [question("a", 5), question("b", 8, false), question("c", 12), question("d", 20)];
  const [found] = numberFigures(examples, { model: [6, 7, 15, 14] })!["model"]!;
  expect(found).toMatchObject({ unit: "months", n: 3, unreadable: 0, concordance: { estimate: 0.75, n: 4 } });
  expect(found!.mae.estimate).toBeCloseTo((1 + 3 + 6) / 3, 12);
  const [unread] = numberFigures(examples, { model: [null, null, 15, 14] })!["model"]!;
  expect(unread).toMatchObject({ n: 2, unreadable: 2 });
  expect(numberFigures([], { model: [] })).toBeNull();
});

it.each(["lr", "knn", "gbdt"] as const)("%s predicts survival from a table better than its mean", async (name) => {
  const set = { name: "phantom_patients", own: { ask: "survival" } };
  const train = await loadDataset({ ...set, split: "train", limit: 400 });
  const test = await loadDataset({ ...set, split: "test", limit: 150 });
  const { numbers, predictions } = await conventionalAnswers(name, test, train, {
    blocks: [tableBlock(train)],
  });
  expect(predictions.every(([first]) => /^-?[\d.]+ months$/.test(first!.text))).toBe(true);
  const [found] = numberFigures(test, { [name]: numbers })![name]!;
  expect(found!.r2!.estimate).toBeGreaterThan(0.1);
  expect(found!.concordance!.estimate).toBeGreaterThan(0.6);
});
