/**
 * What the model answers without looking: its answers to a blank image, next to the question-only training baseline.
 */
import { baselineAnswers, trainBaselines } from "../baselines.ts";
import { scoreBaselines } from "../score.ts";
import { blank, lacksImages } from "./image-variants.ts";
import { keyOf, mean, pairsOf, share, valuesOf } from "./measure.ts";
import type { Probe } from "./probe.ts";

export const questionOnly: Probe = {
  title: "what the question alone gives: answers to a blank image",
  about: "bias",
  readsTraining: true,
  plan({ examples, plain, train }) {
    const none = lacksImages(examples);
    if (none !== null) return none;
    return {
      variants: [blank],
      measure([answers]) {
        const pairs = pairsOf(plain, answers!);
        const own = [
          share("accuracy", pairs, ({ item }) => item.strict === 1, "blank image"),
          share("same_answer", pairs, (pair) => keyOf(pair) === keyOf(pair.before), "blank image"),
          share(
            "right_without_image",
            pairs,
            ({ item, before }) => (before.item.strict === 1 ? item.strict === 1 : null),
            "of right answers",
          ),
        ];
        if (train === null) return own;
        const { question_only } = trainBaselines(train);
        const counted = scoreBaselines(examples, baselineAnswers(examples, { question_only }), "viva").question_only!;
        const difference = valuesOf(pairs, ({ index, item }) => item.strict - counted[index]!.strict);
        const bare = valuesOf(pairs, ({ index }) => counted[index]!.strict);
        return [
          ...own,
          mean("accuracy", "share", bare, "most frequent training answer"),
          mean("over_training_answers", "difference", difference, "blank image"),
        ];
      },
    };
  },
};
