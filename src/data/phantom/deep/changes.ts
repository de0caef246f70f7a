/**
 * Questions about two dates of one patient. Change is judged as RECIST 1.1 does (Eisenhauer 2009): the sum of diameters
 * progresses from +20 % on, regresses from -30 % on; images keep clear of both limits.
 */
import { fold, integer, type RandomKey, uniform } from "../../../core/random.ts";
import { DEEP_VIEWS, LEAST_MM, type Lesions, lesionsOf, MOST_MM, type Placed, shuffledSites } from "./lesions.ts";
import {
  ACTIONS,
  type DeepCell,
  type DeepQuestion,
  deepQuestion,
  earlierText,
  inReadingOrder,
  lesionText,
  placeText,
  ruleText,
} from "./question.ts";

const VIEWS = DEEP_VIEWS.map((name) => lesionsOf[name]);
const CHANGES = ["progressed", "stable", "regressed"] as const;
type Change = (typeof CHANGES)[number];

/** Ratios of the later to the earlier sum. */
const RATIOS: Readonly<Record<Change, readonly [number, number]>> = {
  progressed: [1.3, 1.8],
  stable: [0.9, 1.1],
  regressed: [0.4, 0.62],
};

interface Dates {
  readonly before: readonly Placed[];
  readonly now: readonly Placed[];
}

const sumOf = (placed: readonly Placed[]) => placed.reduce((sum, { mm }) => sum + (mm ?? 0), 0);

/** Up to three lesions whose sum changes by a ratio within the bounds; single ones may do otherwise. */
function changed(lesions: Lesions, [low, high]: readonly [number, number], key: RandomKey): Dates {
  for (let attempt = 0; ; attempt++) {
    const own = fold(fold(key, "change"), attempt);
    const count = 1 + integer(own, 0, 3);
    const ratio = low + (high - low) * uniform(own, 1);
    const both = shuffledSites(lesions, fold(key, "sites"))
      .slice(0, count)
      .map((site, i) => {
        const size = 15 + 10 * uniform(own, 2 + 2 * i);
        const mine = ratio * (1 + 0.3 * (2 * uniform(own, 3 + 2 * i) - 1));
        const [was, is] = [Math.round(size / Math.sqrt(mine)), Math.round(size * Math.sqrt(mine))];
        return { kind: lesions.kind, site, was, is };
      });
    const before = inReadingOrder(both.map(({ kind, site, was }) => ({ kind, site, mm: was })));
    const now = inReadingOrder(both.map(({ kind, site, is }) => ({ kind, site, mm: is })));
    const found = sumOf(now) / sumOf(before);
    const all = [...before, ...now].every(({ mm }) => mm! >= LEAST_MM && mm! <= MOST_MM);
    if (all && found >= low - 0.02 && found <= high + 0.02) return { before, now };
  }
}

function described(lesions: Lesions, { before, now }: Dates): readonly string[] {
  return [...before.map((placed) => earlierText(lesions, placed)), ...now.map((placed) => lesionText(lesions, placed))];
}

/** Progressed, stable or regressed, by the sum of diameters. */
export const change: readonly DeepCell[] = VIEWS.flatMap((lesions) =>
  [
    `The first image is the earlier one. Have the ${lesions.plural} progressed, been stable or regressed?`,
    `How did the ${lesions.plural} change from the first to the second image: progressed, stable or regressed?`,
  ].flatMap((question) =>
    CHANGES.map(
      (answer): DeepCell =>
        (key): DeepQuestion => {
          const dates = changed(lesions, RATIOS[answer], key);
          const percent = Math.round(100 * (sumOf(dates.now) / sumOf(dates.before) - 1));
          const chain = [
            ...described(lesions, dates),
            `The sum was ${sumOf(dates.before)} mm and is ${sumOf(dates.now)} mm, ${Math.abs(percent)} percent ${percent < 0 ? "less" : "more"}.`,
          ];
          return deepQuestion({ question, answer, answers: CHANGES, lesions, ...dates, chain });
        },
    ),
  ),
);

/**
 * A rule about any single lesion that is new or has grown. Where none has, others often shrink; where one has, others may
 * shrink by more, so that the sum misleads.
 */
export const ruleChange: readonly DeepCell[] = VIEWS.flatMap((lesions) =>
  ACTIONS.flatMap((answers) =>
    answers.map(
      (answer): DeepCell =>
        (key) => {
          const own = fold(key, "change");
          const sites = shuffledSites(lesions, fold(key, "sites")).slice(0, 1 + integer(own, 0, 3));
          const isYes = answer === answers[0];
          const both = sites.map((site, i) => {
            const was = 14 + integer(own, 3 * i + 1, 13);
            const shrinks = uniform(own, 3 * i + 2) < 0.5;
            const factor = shrinks ? 0.5 + 0.2 * uniform(own, 3 * i + 3) : 0.95 + 0.1 * uniform(own, 3 * i + 3);
            return { kind: lesions.kind, site, was, is: Math.max(LEAST_MM, Math.round(was * factor)) };
          });
          const isNew = isYes && both.length > 1 && uniform(own, 20) < 0.4;
          if (isYes) {
            const first = both[0]!;
            const grown = Math.round(first.was * (1.35 + 0.4 * uniform(own, 21)));
            both[0] = isNew ? { ...first, was: 0, is: first.was } : { ...first, is: Math.min(MOST_MM, grown) };
          }
          const before = inReadingOrder(
            both.flatMap(({ kind, site, was }) => (was === 0 ? [] : [{ kind, site, mm: was }])),
          );
          const now = inReadingOrder(both.map(({ kind, site, is }) => ({ kind, site, mm: is })));
          const place = placeText(sites[0]!);
          const verdict = !isYes
            ? `No ${lesions.noun} is new or has grown.`
            : isNew
              ? `The ${lesions.noun} in the ${place} is new.`
              : `The ${lesions.noun} in the ${place} has grown.`;
          const question = `The first image is the earlier one. Rule: ${answers[0]} if any ${lesions.noun} is new or has grown by 20 percent or more, otherwise ${answers[1]}. What does the rule advise?`;
          const chain = [...described(lesions, { before, now }), verdict, ruleText(isYes)];
          return deepQuestion({ question, answer, answers, lesions, before, now, chain });
        },
    ),
  ),
);
