import { describe, expect, it } from "vitest";
import { integer, randomKey, uniform } from "../../core/random.ts";
import type { AnswerType, Example } from "../../core/records.ts";
import { trainBaselines } from "../baselines.ts";
import { scoreItems } from "../score.ts";
import { verdicts } from "../verdict.ts";
import { yesNoFigures, yesOf } from "../yes-no.ts";
import { conventionalAnswers, type DenseBlock } from "./answering.ts";
import { conventionalBaselines, questionRegression, towerBlock } from "./baselines.ts";

interface Planted {
  readonly example: Example;
  /** What the image shows, for the block of features. */
  readonly shade: number;
}

/** Closed questions of two organs: the word predicts the answer in `prior` of them, the image's shade in all. */
function planted(n: number, seed: number, prior: number): readonly Planted[] {
  return Array.from({ length: n }, (_, i) => {
    const key = randomKey(seed, "planted", i);
    const yes = uniform(key, 0) < 0.5;
    const organ = uniform(key, 1) < prior === yes ? "liver" : "lung";
    const example = question(`s${seed}-${i}`, "closed", `Is the ${organ} affected?`, yes ? "Yes" : "No");
    return { example, shade: (yes ? 1 : -1) + 0.3 * (uniform(key, 2) - 0.5) };
  });
}

function question(
  id: string,
  answerType: AnswerType,
  text: string,
  answer: string,
  choices: readonly string[] = [],
): Example {
  const index = choices.length > 0 ? { answerIndex: choices.indexOf(answer) } : {};
  return { id, subjectId: id, question: text, images: [], answer, answerType, choices, ...index, meta: {} };
}

function accuracyOf(rows: readonly Planted[], texts: readonly string[]): number {
  return rows.filter(({ example }, i) => example.answer === texts[i]).length / rows.length;
}

const blockOf = (rows: readonly Planted[]): DenseBlock => {
  const shades = new Map(rows.map(({ example, shade }) => [example.id, shade] as const));
  return ({ id }) => [shades.get(id)!, 0.5];
};

describe.each(["lr", "knn", "gbdt"] as const)("%s as an answerer", (name) => {
  const [train, test] = [planted(300, 1, 0.85), planted(200, 2, 0.85)];
  const examples = (rows: readonly Planted[]) => rows.map(({ example }) => example);
  const answer = async (blocks: readonly DenseBlock[]) => {
    const found = await conventionalAnswers(name, examples(test), examples(train), { blocks });
    return { texts: found.predictions.map(([first]) => first!.text), yes: found.yes };
  };

  it("finds a planted question prior in words alone, and the rest in the image", async () => {
    const words = await answer([]);
    expect(accuracyOf(test, words.texts)).toBeGreaterThan(0.78);
    expect(accuracyOf(test, words.texts)).toBeLessThan(0.93);
    const both = await answer([blockOf([...train, ...test])]);
    expect(accuracyOf(test, both.texts)).toBeGreaterThan(0.95);
    const figures = yesNoFigures(examples(test), { words: words.yes, both: both.yes })!;
    expect(figures["both"]!.auroc.estimate).toBeGreaterThan(figures["words"]!.auroc.estimate);
    expect(figures["both"]!.auroc.low).toBeGreaterThan(0.9);
  });
});

it("folds are as many as asked for, and choose hyper-parameters alone", async () => {
  const rows = planted(60, 9, 0.8);
  const [seen, asked] = [rows.slice(0, 40), rows.slice(40)].map((some) => some.map(({ example }) => example));
  const answers = async (folds?: number) => {
    const features = { train: seen!, blocksOf: () => [blockOf(rows)] };
    const { conventional_lr: found } = await conventionalBaselines(["lr"], asked!, features, folds);
    return found!.yes;
  };
  expect(await answers(5)).toEqual(await answers());
  expect((await answers(2)).length).toBe(20);
});

it("an arm that learnt the question prior alone beats the majority, and is not shown to beat the words", async () => {
  const [train, test] = [planted(300, 3, 0.85), planted(200, 4, 0.85)];
  const examples = (rows: readonly Planted[]) => rows.map(({ example }) => example);
  const [asked, seen] = [examples(test), examples(train)];
  const right = (texts: readonly string[]) => test.map(({ example }, i) => Number(example.answer === texts[i]));
  const textAlone = await conventionalAnswers("gbdt", asked, seen, { blocks: [] }); // the arm never sees the shade
  const arm = { name: "text alone", values: right(textAlone.predictions.map(([first]) => first!.text)) };
  const { majority } = trainBaselines(seen);
  const { question_regression: words } = await questionRegression(asked, seen);
  const baselines = [
    { name: "majority", values: right(asked.map(majority)) },
    { name: "question_regression", values: right(words!.predictions.map(([first]) => first!.text)) },
  ];
  const subjects = asked.map(({ subjectId }) => subjectId);
  expect(verdicts([arm], baselines.slice(0, 1), subjects)[0]).toMatchObject({ verdict: "improved" });
  expect(verdicts([arm], baselines, subjects)[0]).toMatchObject({
    verdict: "not_shown",
    against: "question_regression",
    unbeaten: ["question_regression"],
  });
  const sighted = { name: "sees", values: test.map(() => 1) };
  expect(verdicts([sighted], baselines, subjects)[0]).toMatchObject({ verdict: "improved" });
});

describe("answers of conventional models", () => {
  it("name options by their letter, and words as first written", async () => {
    const options = ["No sign", "Effusion", "Nodule"];
    const train = Array.from({ length: 60 }, (_, i) => {
      const finding = options[i % 3]!;
      return [
        question(`c${i}`, "choice", `Which, with sign ${finding}?`, finding, options),
        question(`o${i}`, "open", `Name the sign of ${finding}`, finding),
      ];
    }).flat();
    const test = [
      question("a", "choice", "Which, with sign Nodule?", "Nodule", ["Nodule", "Effusion"]),
      question("b", "open", "Name the sign of Effusion", "effusion"),
    ];
    const { predictions, yes } = await conventionalAnswers("lr", test, train, { blocks: [] });
    expect(predictions.map(([first]) => first!.text)).toEqual(["A", "Effusion"]);
    expect(yes).toEqual([null, null]);
  });

  it("are empty for a type that training lacks, and the one answer where it has one alone", async () => {
    const train = [question("t", "closed", "Is it?", "Yes"), question("u", "closed", "Is that?", "Yes")];
    const test = [question("a", "closed", "Is this?", "No"), question("b", "open", "What?", "liver")];
    const { predictions } = await conventionalAnswers("gbdt", test, train, { blocks: [] });
    expect(predictions.map(([first]) => first!.text)).toEqual(["Yes", ""]);
  });
});

describe("closed questions as a test", () => {
  const examples = ["Yes", "No", "Yes", "No"].map((answer, i) => question(`q${i}`, "closed", "Is it?", answer));

  it("counts unreadable answers apart, with the area's bounds", () => {
    const items = scoreItems(examples, ["yes", "no", "perhaps", "yes"], { style: "plain" });
    expect(items.map(yesOf)).toEqual([1, 0, null, 1]);
    const { model } = yesNoFigures(examples, { model: items.map(yesOf) })!;
    expect(model).toMatchObject({ n: 4, positives: 2, unreadable: 1, cost: (5 + 1) / 4 });
    expect(yesNoFigures(examples, { model: items.map(yesOf) }, 20)!["model"]!.cost).toBe((20 + 1) / 4);
    // One yes of two is found; one no of two is left alone; the unreadable answer is right nowhere.
    expect(model).toMatchObject({ recall: 0.5, specificity: 0.5, accuracy: 0.5, missed_cost: 5 });
    expect(model!.auroc_bounds[0]).toBeLessThan(model!.auroc.estimate);
    expect(model!.auroc_bounds[1]).toBeGreaterThan(model!.auroc.estimate);
  });

  it("says nothing where only one answer occurs", () => {
    expect(yesNoFigures(examples.slice(0, 1), { model: [1] })).toBeNull();
    expect(yesNoFigures([question("w", "closed", "Which?", "left")], { model: [1] })).toBeNull();
  });

  it("does not depend on the order of questions", () => {
    const key = randomKey(5, "order");
    const many = Array.from({ length: 40 }, (_, i) =>
      question(`m${i}`, "closed", "Is it?", i % 3 === 0 ? "Yes" : "No"),
    );
    const p = many.map((_, i) => integer(key, i, 10) / 9);
    const forward = yesNoFigures(many, { one: p })!["one"]!;
    const backward = yesNoFigures([...many].reverse(), { one: [...p].reverse() })!["one"]!;
    expect(backward.auroc.estimate).toBeCloseTo(forward.auroc.estimate, 12);
    expect(backward.auprc).toBeCloseTo(forward.auprc, 12);
  });
});

describe("the tower's embedding as features", () => {
  it("tells apart what its leading components tell apart, and nothing of images without one", async () => {
    const path = (i: number) => `image-${i}`;
    const vectors = new Map(
      Array.from({ length: 60 }, (_, i) => [path(i), Float32Array.of(i % 2 ? 9 : -9, (i * 37) % 11, 1)] as const),
    );
    const questions = Array.from(
      { length: 60 },
      (_, i): Example => ({
        ...{ id: `e${i}`, subjectId: `s${i}`, question: "Is it there?", images: [{ path: path(i) }] },
        ...{ answer: i % 2 ? "yes" : "no", answerType: "closed", choices: [], meta: {} },
      }),
    );
    const [train, asked] = [questions.slice(0, 40), questions.slice(40)];
    const block = towerBlock(vectors, train);
    const { predictions } = await conventionalAnswers("lr", asked, train, { blocks: [block] });
    expect(predictions.map(([one]) => one!.text)).toEqual(asked.map(({ answer }) => answer));
    expect(block({ ...asked[0]!, images: [] })).toBeNull();
    expect(towerBlock(new Map(), train)(asked[0]!)).toBeNull();
  });
});
