/**
 * Questions with a pathway in the prompt: numbered steps, each asking for a finding in a place, with a yes and a no that
 * lead to another step or to what to do. Steps are numbered at random, so where one stands tells nothing of when its turn
 * comes; every end is reached as often as every other.
 */
import { fold, permutation, type RandomKey, uniform } from "../../../core/random.ts";
import type { FindingKind, Site } from "../world/views.ts";
import { DEEP_VIEWS, type Lesions, lesionsOf, MOST_MM, millimetres, type Placed, shuffledSites } from "./lesions.ts";
import { ACTIONS, type DeepCell, deepQuestion, inReadingOrder, lesionText, placeText } from "./question.ts";

const ASK = "What does the pathway advise?";
const VIEWS = DEEP_VIEWS.map((name) => lesionsOf[name]);

/** A step of a pathway; yes and no are further steps, or the index of an end. */
interface Step {
  readonly number: number;
  readonly kind: FindingKind;
  readonly site: Site;
  readonly yes: Step | number;
  readonly no: Step | number;
}

/** Whether each step that is passed holds, from the first, to the end of an index. */
type Path = readonly { readonly step: Step; readonly holds: boolean }[];

/** One question for every end of a view's pathways. */
export const pathway: readonly DeepCell[] = VIEWS.flatMap((lesions) => {
  // Four steps where a view has four places, else five; an end more than steps.
  const steps = Math.min(5, lesions.kind.sites.length);
  const ends = ACTIONS.flat().slice(0, steps + 1);
  return ends.map(
    (answer): DeepCell =>
      (key) => {
        const order = permutation(fold(key, "ends"), ends.length);
        const actions = Array.from(order, (i) => ends[i]!);
        const first = stepsOf(lesions, steps, fold(key, "steps"));
        const path = pathTo(first, actions.indexOf(answer))!;
        const passed = new Map(path.map(({ step, holds }) => [step, holds]));
        const shown = fold(key, "shown");
        const now = inReadingOrder(
          allSteps(first).flatMap((step, i) => {
            const holds = passed.get(step) ?? uniform(shown, 3 * i) < 0.5;
            // Where a step does not hold, the other kind may lie at its place.
            const kind = holds ? step.kind : uniform(shown, 3 * i + 1) < 0.3 ? otherThan(lesions, step.kind) : null;
            if (kind === null) return [];
            const mm = kind === lesions.kind ? millimetres(shown, 3 * i + 2, 14, MOST_MM) : null;
            return [{ kind, site: step.site, mm }];
          }),
        );
        const told = (next: Step | number) => (typeof next === "number" ? actions[next]! : `step ${next.number}`);
        const listed = [...allSteps(first)]
          .sort((a, b) => a.number - b.number)
          .map(({ number, kind, site, yes, no }) => {
            return `Step ${number}: ${nameOf(lesions, kind)} in the ${placeText(site)}? Yes: ${told(yes)}. No: ${told(no)}.`;
          });
        const question = `The pathway begins at step ${first.number}. ${listed.join(" ")} ${ASK}`;
        const chain = path.flatMap(({ step, holds }) => [
          `Step ${step.number} is about the ${placeText(step.site)}.`,
          seenText(lesions, step, now),
          `${holds ? "Yes" : "No"} leads to ${told(holds ? step.yes : step.no)}.`,
        ]);
        return deepQuestion({ question, answer, answers: ends, lesions, now, chain, isOpen: false });
      },
  );
});

/**
 * The first step of a tree in which every end is two or three steps away: four steps or five, in places of their own. The
 * two (or one) that come third lie behind the yes or the no of one that comes second.
 */
function stepsOf(lesions: Lesions, count: number, key: RandomKey): Step {
  const numbers = permutation(fold(key, "numbers"), count);
  const sites = shuffledSites(lesions, fold(key, "sites"));
  const own = fold(key, "kinds");
  let end = 0;
  const step = (i: number, first: Step | number, second: Step | number): Step => {
    const [yes, no] = uniform(own, 2 * i) < 0.5 ? [first, second] : [second, first];
    const kind = uniform(own, 2 * i + 1) < 0.7 ? lesions.kind : lesions.other;
    return { number: numbers[i]! + 1, kind, site: sites[i]!, yes, no };
  };
  const third = (i: number) => step(i, end++, end++);
  const left = step(1, third(3), end++);
  return step(0, left, step(2, count === 5 ? third(4) : end++, end++));
}

function allSteps(step: Step | number): readonly Step[] {
  return typeof step === "number" ? [] : [step, ...allSteps(step.yes), ...allSteps(step.no)];
}

function pathTo(step: Step | number, end: number): Path | null {
  if (typeof step === "number") return step === end ? [] : null;
  for (const holds of [true, false]) {
    const rest = pathTo(holds ? step.yes : step.no, end);
    if (rest !== null) return [{ step, holds }, ...rest];
  }
  return null;
}

function otherThan(lesions: Lesions, kind: FindingKind): FindingKind {
  return kind === lesions.kind ? lesions.other : lesions.kind;
}

function nameOf({ noun, kind: lesion }: Lesions, kind: FindingKind): string {
  return kind === lesion ? noun : kind.name;
}

function seenText(lesions: Lesions, { kind, site }: Step, now: readonly Placed[]): string {
  const placed = now.find((one) => one.site === site && one.kind === kind);
  if (placed !== undefined) return lesionText(lesions, { ...placed, mm: null });
  return `There is no ${nameOf(lesions, kind)} in the ${placeText(site)}.`;
}
