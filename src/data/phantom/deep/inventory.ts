/** Questions that go through an image place by place: counting over regions, a history to hold against it, sizes, lists. */
import { fold, integer, permutation, type RandomKey, uniform } from "../../../core/random.ts";
import type { FindingKind, Site } from "../world/views.ts";
import { DEEP_VIEWS, LEAST_MM, lesionsOf, MOST_MM, millimetres, type Placed, shuffledSites } from "./lesions.ts";
import { type DeepCell, deepQuestion, inReadingOrder, largestText, lesionText, placeText } from "./question.ts";

const VIEWS = DEEP_VIEWS.map((name) => lesionsOf[name]);
const YES_NO = ["yes", "no"] as const;

/** In how many places there is a finding of either kind; both kinds count. */
export const countPlaces: readonly DeepCell[] = VIEWS.flatMap((lesions) =>
  [
    `In how many ${lesions.places} is there a ${lesions.noun} or ${lesions.other.name}?`,
    `How many of the ${lesions.kind.sites.length} ${lesions.places} show a ${lesions.noun} or ${lesions.other.name}?`,
  ].flatMap((question) =>
    ["1", "2", "3", "4"].map(
      (answer, _, answers): DeepCell =>
        (key) => {
          const own = fold(key, "kinds");
          const sites = shuffledSites(lesions, fold(key, "sites")).slice(0, Number(answer));
          const now = inReadingOrder(
            sites.map((site, i) =>
              uniform(own, 2 * i) < 0.35
                ? { kind: lesions.other, site, mm: null }
                : { kind: lesions.kind, site, mm: millimetres(own, 2 * i + 1, 12, 36) },
            ),
          );
          const total =
            answer === "1" ? `That is 1 of the ${lesions.places}.` : `Those are ${answer} ${lesions.places}.`;
          const chain = [...now.map((placed) => lesionText(lesions, placed)), total];
          return deepQuestion({ question, answer, answers, lesions, now, chain, isOpen: false });
        },
    ),
  ),
);

/**
 * Lesions that a history tells of: are all of them there? Where one is not, another lesion lies on the other side or in
 * the next place, as an inattentive reader would take for it.
 */
export const history: readonly DeepCell[] = VIEWS.flatMap((lesions) =>
  [1, 2].flatMap((told) =>
    YES_NO.map(
      (answer): DeepCell =>
        (key) => {
          const own = fold(key, "history");
          const sites = shuffledSites(lesions, fold(key, "sites"));
          const named = sites.slice(0, told);
          const missing = answer === "yes" ? null : named[integer(own, 0, told)]!;
          const shown = named.filter((site) => site !== missing);
          const decoys = sites.slice(told).filter((site) => missing === null || isNear(site, missing));
          const extra = missing !== null || uniform(own, 1) < 0.5 ? decoys.slice(0, 1) : [];
          const now = inReadingOrder(
            [...shown, ...extra].map((site, i) => ({
              kind: lesions.kind,
              site,
              mm: millimetres(own, i + 2, 14, 36),
            })),
          );
          const places = named.map(placeText).join(" and the ");
          const question = `History: ${told === 1 ? `a ${lesions.noun}` : lesions.plural} in the ${places}. Does the image show ${told === 1 ? "it" : "both"} there?`;
          const denied =
            missing === null
              ? `The ${told === 1 ? "place agrees" : "places agree"} with the history.`
              : `There is no ${lesions.noun} in the ${placeText(missing)}.`;
          const chain = [...now.map((placed) => lesionText(lesions, placed)), denied];
          return deepQuestion({ question, answer, answers: YES_NO, lesions, now, chain });
        },
    ),
  ),
);

/** The other side of the same place, or another place of the same side. */
function isNear(site: Site, missing: Site): boolean {
  return site.place === missing.place || site.side === missing.side;
}

/** The largest lesion in millimetres. */
export const largestSize: readonly DeepCell[] = VIEWS.map(
  (lesions): DeepCell =>
    (key) => {
      const own = fold(key, "sizes");
      const sites = shuffledSites(lesions, fold(key, "sites")).slice(0, 1 + integer(own, 0, 3));
      const value = millimetres(own, 1, LEAST_MM, MOST_MM);
      const size = (i: number) => (i === 0 ? value : millimetres(own, i + 1, LEAST_MM, value));
      const now = inReadingOrder(sites.map((site, i) => ({ kind: lesions.kind, site, mm: size(i) })));
      return deepQuestion({
        question: `What does the largest ${lesions.noun} measure in mm?`,
        answer: `${value} mm`,
        answers: ["a number"],
        answerType: "numeric",
        target: { value, unit: "mm", tolerance: 4 },
        lesions,
        now,
        chain: [...now.map((placed) => lesionText(lesions, placed)), largestText(lesions, value)],
      });
    },
);

/** Which of four findings an image shows: every set of them but the empty one is equally frequent. */
const LISTED: Readonly<Record<string, readonly string[]>> = {
  chest_xray: ["nodule", "opacity", "pleural effusion", "cardiomegaly"],
  chest_ct: ["nodule", "consolidation", "pleural effusion", "pneumothorax"],
  brain_axial: ["ring-enhancing lesion", "hemorrhage", "infarct", "hydrocephalus"],
};

export const present: readonly DeepCell[] = VIEWS.flatMap((lesions) =>
  ["Which of these does the image show?", "Which of these findings are present?"].flatMap((question) =>
    subsets().map(
      (indices): DeepCell =>
        (key) => {
          const own = fold(key, "present");
          const names = LISTED[lesions.view.name]!;
          const choices = Array.from(permutation(fold(own, "options"), 4), (i) => names[i]!);
          const kinds = indices.map((i) => lesions.view.findings.find(({ name }) => name === choices[i])!);
          const now = inReadingOrder(placedApart(kinds, own));
          const letters = (of: readonly number[]) => of.map((i) => String.fromCharCode(65 + i)).join(",");
          return deepQuestion({
            question,
            answer: letters(indices),
            answers: subsets().map(letters),
            answerType: "multi",
            choices,
            lesions,
            now,
            chain: choices.map((name, i) => presenceText(name, indices.includes(i), now)),
            isOpen: false,
          });
        },
    ),
  ),
);

/** The 15 sets of one to four options, as indices. */
function subsets(): readonly (readonly number[])[] {
  return Array.from({ length: 15 }, (_, i) => [0, 1, 2, 3].filter((option) => ((i + 1) >> option) & 1));
}

/** One finding of each kind, in places of their own; kinds with the fewest places choose first. */
function placedApart(kinds: readonly FindingKind[], key: RandomKey): readonly Placed[] {
  for (let attempt = 0; ; attempt++) {
    const own = fold(fold(key, "places"), attempt);
    const taken = new Set<string>();
    const placed: Placed[] = [];
    for (const [i, kind] of [...kinds].sort((a, b) => a.sites.length - b.sites.length).entries()) {
      const free = kind.sites.filter((site) => !site.takes.some((part) => taken.has(part)));
      if (free.length === 0) break;
      const site = free[integer(own, i, free.length)]!;
      for (const part of site.takes) taken.add(part);
      placed.push({ kind, site, mm: null });
    }
    if (placed.length === kinds.length) return placed;
  }
}

function presenceText(name: string, isThere: boolean, now: readonly Placed[]): string {
  if (!isThere) return `There is no ${name}.`;
  const { kind, site } = now.find((placed) => placed.kind.name === name)!;
  if (kind.plural === "") return `There is ${name}.`;
  const article = /^[aeiou]/.test(name) ? "an" : "a";
  if (site.place === null) return `There is a ${site.side} ${name}.`;
  return `There is ${article} ${name} in the ${placeText(site)}.`;
}
