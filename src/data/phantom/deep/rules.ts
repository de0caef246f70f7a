/**
 * Questions with a rule in the prompt, to be applied to what one image shows. Conditions and answers are drawn apart, so
 * that a rule's words tell nothing of its answer; images are near the limit as often as the answer allows.
 */
import { fold, integer, type RandomKey, uniform } from "../../../core/random.ts";
import {
  DEEP_VIEWS,
  LEAST_MM,
  type Lesions,
  lesionsOf,
  MOST_MM,
  millimetres,
  type Placed,
  shuffledSites,
} from "./lesions.ts";
import {
  ACTIONS,
  countText,
  type DeepCell,
  deepQuestion,
  inReadingOrder,
  labName,
  largestOf,
  largestText,
  lesionText,
  limitText,
  ruleText,
  valueText,
} from "./question.ts";
import type { Lab } from "./table.ts";

const ASK = "What does the rule advise?";
/** Lesions within this of a limit would leave the answer to a pixel. */
const MARGIN = 3;

const VIEWS = DEEP_VIEWS.map((name) => lesionsOf[name]);

/** Up to three lesions, the largest between the two sizes. */
function lesionsUpTo(lesions: Lesions, least: number, most: number, key: RandomKey): readonly Placed[] {
  const sizes = fold(key, "sizes");
  const largest = millimetres(sizes, 0, least, most);
  const sites = shuffledSites(lesions, fold(key, "sites")).slice(0, 1 + integer(sizes, 1, 3));
  return inReadingOrder(
    sites.map((site, i) => ({
      kind: lesions.kind,
      site,
      mm: i === 0 ? largest : millimetres(sizes, i + 1, LEAST_MM, largest),
    })),
  );
}

function measured(lesions: Lesions, now: readonly Placed[]): readonly string[] {
  return [...now.map((placed) => lesionText(lesions, placed)), largestText(lesions, largestOf(now))];
}

/** The largest lesion against a limit. */
export const ruleSize: readonly DeepCell[] = VIEWS.flatMap((lesions) =>
  [18, 22, 26].flatMap((limit) =>
    ACTIONS.flatMap((answers) =>
      answers.map(
        (answer): DeepCell =>
          (key) => {
            const [least, most] = answer === answers[0] ? [limit + MARGIN, MOST_MM] : [LEAST_MM, limit - MARGIN];
            const now = lesionsUpTo(lesions, least, most, key);
            const question = `Rule: ${answers[0]} if the largest ${lesions.noun} measures ${limit} mm or more, otherwise ${answers[1]}. ${ASK}`;
            const holds = ruleText(answer === answers[0]);
            const chain = [...measured(lesions, now), limitText(largestOf(now), limit), holds];
            return deepQuestion({ question, answer, answers, lesions, now, chain });
          },
      ),
    ),
  ),
);

/** The number of lesions against a limit. */
export const ruleCount: readonly DeepCell[] = VIEWS.flatMap((lesions) =>
  [1, 2, 3].flatMap((limit) =>
    ACTIONS.flatMap((answers) =>
      answers.map(
        (answer): DeepCell =>
          (key) => {
            const places = lesions.kind.sites.length;
            const more = Math.min(places - limit, 2);
            const own = fold(key, "count");
            const count = answer === answers[0] ? limit + 1 + integer(own, 0, more) : limit - integer(own, 0, 2);
            const sites = shuffledSites(lesions, fold(key, "sites")).slice(0, count);
            const sized = sites.map((site, i) => ({
              kind: lesions.kind,
              site,
              mm: millimetres(own, i + 1, 12, MOST_MM),
            }));
            const now = inReadingOrder(sized);
            const question = `Rule: ${answers[0]} if there are more than ${limit} ${lesions.plural}, otherwise ${answers[1]}. ${ASK}`;
            const named = now.map((placed) => lesionText(lesions, placed));
            const compared = `${count} is ${count > limit ? "" : "not "}more than ${limit}.`;
            const counted = count === 0 ? `There is no ${lesions.noun}.` : countText(lesions, count);
            const chain = [...named, counted, compared, ruleText(answer === answers[0])];
            return deepQuestion({ question, answer, answers, lesions, now, chain });
          },
      ),
    ),
  ),
);

/** Which side has more lesions; the numbers differ by one as often as not. */
export const ruleSide: readonly DeepCell[] = VIEWS.flatMap((lesions) =>
  (["left", "right"] as const).flatMap((asked) =>
    ACTIONS.flatMap((answers) =>
      answers.map(
        (answer): DeepCell =>
          (key) => {
            const own = fold(key, "count");
            const side = answer === answers[0] ? asked : asked === "left" ? "right" : "left";
            const places = lesions.kind.sites.length / 2;
            const many = 1 + integer(own, 0, places);
            const few = integer(own, 1, many);
            const sites = shuffledSites(lesions, fold(key, "sites"));
            const chosen = [
              ...sites.filter((site) => site.side === side).slice(0, many),
              ...sites.filter((site) => site.side !== side).slice(0, few),
            ];
            const now = inReadingOrder(
              chosen.map((site, i) => ({ kind: lesions.kind, site, mm: millimetres(own, i + 2, 12, MOST_MM) })),
            );
            const other = asked === "left" ? "right" : "left";
            const question = `Rule: ${answers[0]} if the ${asked} side has more ${lesions.plural} than the ${other}, otherwise ${answers[1]}. ${ASK}`;
            const count = (of: string) => now.filter(({ site }) => site.side === of).length;
            const chain = [
              ...now.map((placed) => lesionText(lesions, placed)),
              `${count("right")} on the right, ${count("left")} on the left.`,
              `The ${side} side has more.`,
              ruleText(answer === answers[0]),
            ];
            return deepQuestion({ question, answer, answers, lesions, now, chain });
          },
      ),
    ),
  ),
);

interface Cutoff {
  readonly lab: Lab | "age";
  readonly limit: number;
  /** Values below and above the limit, each from one to the other. */
  readonly low: readonly [number, number];
  readonly high: readonly [number, number];
}

const CUTOFFS: readonly Cutoff[] = [
  { lab: "crp", limit: 50, low: [4, 45], high: [55, 120] },
  { lab: "ldh", limit: 250, low: [160, 240], high: [260, 380] },
  { lab: "age", limit: 65, low: [36, 64], high: [66, 85] },
];
const [SMALLER, LARGER] = [16, 28];

/** A value of the table decides which of two limits holds; sizes between the two are answered wrongly without it. */
export const ruleTable: readonly DeepCell[] = VIEWS.flatMap((lesions) =>
  CUTOFFS.flatMap(({ lab, limit, low, high }) =>
    ACTIONS.flatMap((answers) =>
      answers.flatMap((answer) =>
        [false, true].map(
          (isHigh): DeepCell =>
            (key) => {
              const own = fold(key, "value");
              const [from, to] = isHigh ? high : low;
              const value = from + integer(own, 0, to - from + 1);
              const applies = isHigh ? LARGER : SMALLER;
              const between = [SMALLER + MARGIN, LARGER - MARGIN] as const;
              const beyond = answer === answers[0] ? ([LARGER + MARGIN, MOST_MM] as const) : ([LEAST_MM, 13] as const);
              const canMislead = (answer === answers[0]) !== isHigh;
              const [least, most] = canMislead && uniform(own, 1) < 0.6 ? between : beyond;
              const now = lesionsUpTo(lesions, least, most, key);
              const name = labName(lab);
              const question = `Rule: ${answers[0]} if the largest ${lesions.noun} measures ${SMALLER} mm or more, with ${lab === "crp" ? "a" : "an"} ${name} above ${limit} only from ${LARGER} mm, otherwise ${answers[1]}. The ${name} is ${value}. ${ASK}`;
              const chain = [
                valueText(lab, value),
                `${value} is ${isHigh ? "" : "not "}above ${limit}, so the limit is ${applies} mm.`,
                ...measured(lesions, now),
                limitText(largestOf(now), applies),
                ruleText(answer === answers[0]),
              ];
              return deepQuestion({ question, answer, answers, lesions, now, chain, stated: { [lab]: value } });
            },
        ),
      ),
    ),
  ),
);
