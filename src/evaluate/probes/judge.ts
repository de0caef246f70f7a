/**
 * Whether a judge finds the reasoning sound, and whether that judge agrees with people. Asks the policy no further
 * questions.
 */

import type { Reward } from "../../rewards/index.ts";
import { cohensKappa } from "../agreement.ts";
import { type CalibrationRow, readCalibration } from "./calibration.ts";
import { type Measure, mean } from "./measure.ts";
import { defineProbe, defineTool } from "./probe.ts";
import { reasoned } from "./reasoned.ts";
import { completionOf, rewardValues } from "./reward-values.ts";
import { toolWords } from "./tool-options.ts";

const asked = defineTool({
  ...toolWords.judge,
  prepare({
    "judge-url": base_url,
    "judge-model": model,
    "judge-key-env": key,
    "judge-max-tokens-field": field,
    calibration: file,
  }) {
    const calibration = file === undefined ? null : readCalibration(file);
    const keyed = {
      ...(key === undefined ? {} : { api_key_env: key }),
      ...(field === undefined ? {} : { max_tokens_field: field }),
    };
    return async ({ openReward }) => ({
      reward: await openReward("semantic", { scorer: "judge", base_url, model, ...keyed }),
      calibration,
    });
  },
});

export const judge = defineProbe({
  title: "a judge's verdict on the reasoning, with the judge's agreement with people",
  about: "reasoning",
  tools: { judge: asked },
  plan(context, { judge }) {
    if (judge === null) return "no judge is given (--judge-url, --judge-model)";
    const rows = reasoned(context);
    if (typeof rows === "string") return rows;
    return {
      variants: [],
      async measure() {
        const { reward, calibration } = judge;
        const values = await rewardValues(reward, rows);
        const verdicts =
          calibration === null ? [] : await Promise.all(calibration.map((row) => verdictOf(row, reward)));
        return [mean("sound", "share", values), ...(calibration === null ? [] : agreement(calibration, verdicts))];
      },
    };
  },
});

async function verdictOf({ example, completion }: CalibrationRow, reward: Reward): Promise<number | null> {
  const [verdict] = await reward.score(example, [completionOf(completion)]);
  return verdict ?? null;
}

/** On the calibration set: fraction of readable verdicts, agreement, Cohen's kappa, and each side's rate of yes. */
function agreement(calibration: readonly CalibrationRow[], verdicts: readonly (number | null)[]): readonly Measure[] {
  const pairs = calibration.flatMap(({ sound, example }, i) => {
    const verdict = verdicts[i] ?? null;
    return verdict === null ? [] : [{ subject: example.subjectId, theirs: sound ? 1 : 0, own: verdict }];
  });
  const on = "calibration set";
  const all = calibration.map(({ example }, i) => ({
    subject: example.subjectId,
    value: verdicts[i] === null ? 0 : 1,
  }));
  return [
    mean("judge_readable", "share", all, on),
    mean(
      "judge_agreement",
      "share",
      pairs.map(({ subject, own, theirs }) => ({ subject, value: own === theirs ? 1 : 0 })),
      on,
    ),
    { name: "judge_kappa", condition: on, unit: "correlation", interval: cohensKappa(pairs) },
    mean(
      "judge_leniency",
      "difference",
      pairs.map(({ subject, own, theirs }) => ({ subject, value: own - theirs })),
      on,
    ),
  ];
}
