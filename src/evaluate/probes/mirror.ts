/** Whether the model tells left from right: on a mirrored image, answers about the side must flip. */
import { answerKey } from "../../answers/answer-key.ts";
import { referenceOption } from "../../answers/choice.ts";
import { verdictOf } from "../../answers/claims/check.ts";
import { type ImageFacts, readFacts } from "../../answers/claims/facts.ts";
import { parseClaims } from "../../answers/claims/parse.ts";
import { referencePolarity } from "../../answers/closed.ts";
import type { Vocabulary } from "../../answers/concepts/vocabulary.ts";
import { namedSides, swapSides } from "../../answers/mirror.ts";
import type { Example } from "../../core/records.ts";
import { mirroredImage } from "../../data/changed-images.ts";
import type { Asked } from "./asked.ts";
import { lacksImages } from "./image-variants.ts";
import { accuracyChange, keyOf, type Pair, pairsOf, share } from "./measure.ts";
import type { Probe, Variant } from "./probe.ts";

export const mirror: Probe = {
  title: "mirrored images: answers about the side must flip, all others must not",
  about: "bias",
  plan({ examples, plain, vocabulary }) {
    const none = lacksImages(examples);
    if (none !== null) return none;
    const swap = variant("mirrored, sides exchanged in the question", examples, (example) =>
      asksOneSide(example) ? mirroredWording(example) : null,
    );
    const flip = variant("mirrored", examples, (example) => (answersASide(example) ? mirroredAnswer(example) : null));
    const exact = variant("mirrored, by facts", examples, (example) => mirroredTruth(example, vocabulary));
    const variants = [flip, swap, exact].filter(({ rows }) => rows!.length > 0);
    if (variants.length === 0) return "no question or answer is about left or right";
    return {
      variants,
      measure: (answers) =>
        answers.flatMap((asked, v) => {
          const pairs = pairsOf(plain, asked);
          if (variants[v] === flip) return [...accuracies(pairs, flip.name), share("flips", pairs, flips, flip.name)];
          if (variants[v] === swap)
            return [...accuracies(pairs, swap.name), share("same_answer", pairs, same, swap.name)];
          return byFacts(pairs, examples);
        }),
    };
  },
};

/** Variant of the questions for which `change` returns a mirrored form, with mirrored images. */
function variant(name: string, examples: readonly Example[], change: (example: Example) => Example | null): Variant {
  return {
    name,
    rows: examples.flatMap((example, i) => (change(example) === null ? [] : [i])),
    change: async (example) => ({
      ...change(example)!,
      images: await Promise.all(example.images.map(mirroredImage)),
    }),
  };
}

/** The reference names one side and the question none, so that mirroring changes only the answer. */
function answersASide({ question, images, answer, choices, answerType }: Example): boolean {
  if (images.length === 0 || namedSides(question).size === 1 || namedSides(answer).size !== 1) return false;
  return answerType !== "choice" || referenceOption(swapSides(answer), choices) >= 0;
}

function mirroredAnswer(example: Example): Example {
  const answer = swapSides(example.answer);
  if (example.answerType !== "choice") return { ...example, answer };
  return { ...example, answer, answerIndex: referenceOption(answer, example.choices) };
}

function asksOneSide({ question, images }: Example): boolean {
  return images.length > 0 && namedSides(question).size === 1;
}

/** The whole question rephrased for the mirrored image; its answer does not change. */
function mirroredWording(example: Example): Example {
  const { question, answer, choices } = example;
  return { ...example, question: swapSides(question), answer: swapSides(answer), choices: choices.map(swapSides) };
}

/**
 * A yes/no question about one side, unchanged, with the answer that the mirrored facts imply; null if the original
 * facts do not imply the reference, since they are then unreliable for this question.
 */
function mirroredTruth(example: Example, vocabulary: Vocabulary): Example | null {
  const facts = readFacts(example.facts);
  const reference = example.answerType === "closed" ? referencePolarity(example.answer) : null;
  if (facts === null || reference === null || !asksOneSide(example)) return null;
  const claims = parseClaims(example.question.replace(/\?\s*$/, "."), vocabulary);
  if (!claims.some(({ side }) => side !== undefined)) return null;
  const answerBy = (known: ImageFacts) => {
    const verdicts = claims.map((claim) => verdictOf(claim, known));
    return verdicts.includes(null) ? null : verdicts.every(Boolean) ? "yes" : "no";
  };
  const mirrored = answerBy({ ...facts, findings: facts.findings.map(otherSide) });
  return answerBy(facts) === reference && mirrored !== null ? { ...example, answer: mirrored } : null;
}

function otherSide(finding: ImageFacts["findings"][number]): ImageFacts["findings"][number] {
  if (finding.side === undefined) return finding;
  return { ...finding, side: finding.side === "left" ? "right" : "left" };
}

function accuracies(pairs: readonly Pair[], condition: string) {
  return [
    share("accuracy_before", pairs, ({ before }) => before.item.strict === 1, condition),
    share("accuracy", pairs, ({ item }) => item.strict === 1, condition),
    accuracyChange(pairs, condition),
  ];
}

/** Whether the answer now names the other side; null if the plain one named no side. */
function flips(pair: Pair): boolean | null {
  const before = pair.before.item.parsed_answer?.text ?? null;
  const key = keyOf(pair.before);
  if (before === null || key === null || namedSides(sideText(pair.before)).size !== 1) return null;
  return keyOf(pair) === answerKey(pair.example, swapSides(key));
}

/** The answer in words: the option's text for a letter. */
function sideText(asked: Asked): string {
  return keyOf(asked) ?? "";
}

/** Whether the answer, with sides swapped, equals the plain one. */
function same(pair: Pair): boolean | null {
  const key = keyOf(pair);
  return keyOf(pair.before) === null ? null : key !== null && swapSides(key) === keyOf(pair.before);
}

/** Whether answers change where the truth changes, and stay where it stays. */
function byFacts(pairs: readonly Pair[], examples: readonly Example[]) {
  const turns = ({ index, example }: Pair) =>
    referencePolarity(examples[index]!.answer) !== referencePolarity(example.answer);
  const isFlip = (pair: Pair) => (keyOf(pair.before) === null ? null : keyOf(pair) !== keyOf(pair.before));
  return [
    ...accuracies(pairs, "mirrored, by facts"),
    share("flips", pairs, (pair) => (turns(pair) ? isFlip(pair) : null), "where the truth turns"),
    share("flips", pairs, (pair) => (turns(pair) ? null : isFlip(pair)), "where it does not"),
  ];
}
