/**
 * Questions about a ring of four readers: every finding passes the image so many readers on. Who has it in the end follows
 * from all findings together; any smaller number of them tells nothing of it.
 */
import { fold, integer, type RandomKey, uniform } from "../../../core/random.ts";
import { DEEP_VIEWS, type Lesions, lesionsOf, MOST_MM, millimetres, type Placed, shuffledSites } from "./lesions.ts";
import { type DeepCell, deepQuestion, inReadingOrder, lesionText } from "./question.ts";

const VIEWS = DEEP_VIEWS.map((name) => lesionsOf[name]);
const LEAST_FINDINGS = 2;
const READERS = ["A", "B", "C", "D"] as const;
const NUMBERS = ["None", "One", "Two", "Three"];

/** How many readers a lesion passes the image on, and how many the other finding. */
const PASSES: readonly (readonly [lesion: number, other: number])[] = [
  [1, 2],
  [1, 3],
  [2, 1],
  [2, 3],
  [3, 1],
  [3, 2],
];

/** Two findings to one at every place, of either kind as often. */
function findings(lesions: Lesions, key: RandomKey): readonly Placed[] {
  const own = fold(key, "kinds");
  const sites = shuffledSites(lesions, fold(key, "sites"));
  const count = LEAST_FINDINGS + integer(own, 0, Math.min(5, sites.length) - LEAST_FINDINGS + 1);
  return inReadingOrder(
    sites
      .slice(0, count)
      .map((site, i) =>
        uniform(own, 2 * i + 1) < 0.5
          ? { kind: lesions.other, site, mm: null }
          : { kind: lesions.kind, site, mm: millimetres(own, 2 * i + 2, 14, MOST_MM) },
      ),
  );
}

export const ring: readonly DeepCell[] = VIEWS.flatMap((lesions) =>
  PASSES.flatMap(([lesion, other]) =>
    READERS.map(
      (answer): DeepCell =>
        (key) => {
          const passes = ({ kind }: Placed) => (kind === lesions.kind ? lesion : other);
          const holders = (placed: readonly Placed[]) => {
            let reader = 0;
            return placed.map((one) => (reader = (reader + passes(one)) % READERS.length));
          };
          // One draw in four ends with the reader that is wanted.
          let now: readonly Placed[] = [];
          for (let attempt = 0; now.length === 0 || READERS[holders(now).at(-1)!] !== answer; attempt++) {
            now = findings(lesions, fold(key, `attempt ${attempt}`));
          }
          const question =
            `Readers A, B, C and D sit in a ring, and A has the image. Each ${lesions.noun} passes it ${on(lesion)}, ` +
            `each ${lesions.other.name} ${on(other)}. Who has it in the end?`;
          const readers = [0, ...holders(now)].map((reader) => READERS[reader]!);
          const chain = now.flatMap((placed, i) => [
            lesionText(lesions, { ...placed, mm: null }),
            `${NUMBERS[passes(placed)]} on from ${readers[i]} is ${readers[i + 1]}.`,
          ]);
          return deepQuestion({ question, answer, answers: READERS, lesions, now, chain, isOpen: false });
        },
    ),
  ),
);

/** "two readers on" */
function on(count: number): string {
  return `${NUMBERS[count]!.toLowerCase()} ${count === 1 ? "reader" : "readers"} on`;
}
