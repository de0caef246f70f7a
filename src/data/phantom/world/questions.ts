/** The questions, and what an image must show for the answer to be correct. */
import { fold, integer, permutation, type RandomKey } from "../../../core/random.ts";
import type { AnswerType } from "../../../core/records.ts";
import type { Cell as QuestionCell } from "./cells.ts";
import type { Wanted } from "./scene.ts";
import { type FindingKind, type Sequence, SIDES, type View, type ViewName, views } from "./views.ts";

export const QUESTION_KINDS = [
  ...(["modality", "sequence", "plane", "organ", "presence", "side", "side_closed", "location"] as const),
  ...(["location_closed", "count", "size_comparison", "finding", "finding_open"] as const),
] as const;
export type QuestionKind = (typeof QUESTION_KINDS)[number];

/** A question with its answer, and its requirements on the image. */
export interface Question {
  readonly question: string;
  readonly answer: string;
  readonly answerType: AnswerType;
  /** All possible answers of the question: chance is one in this number. */
  readonly answers: readonly string[];
  /** Options of a choice question, in the order shown. */
  readonly choices: readonly string[];
  /** The views that can show it, equally likely. */
  readonly views: readonly ViewName[];
  /** Null for any. */
  readonly sequence: Sequence | null;
  readonly wanted: readonly Wanted[];
  /** Names of findings that would make the answer ambiguous; `all` allows only wanted ones. */
  readonly excluded: readonly string[] | "all";
  /** The name of the finding asked about. */
  readonly about: string | null;
}

const CHEST: readonly ViewName[] = ["chest_xray", "chest_ct"];
const BRAIN: readonly ViewName[] = ["brain_axial", "brain_coronal", "brain_sagittal"];
const YES_NO = ["yes", "no"] as const;
const NORMAL = "no abnormality";

type Cell = QuestionCell<Question>;

function question(text: string, answer: string, answers: readonly string[], rest: Partial<Question>): Question {
  const type = answers.length === 2 && answers.includes("yes") ? "closed" : "open";
  const free = { choices: [], views: [], sequence: null, wanted: [], excluded: [], about: null } as const;
  return { question: text, answer, answerType: type, answers, ...free, ...rest };
}

/** A plain question in several wordings, one cell per wording and answer. */
function simple(texts: readonly string[], byAnswer: Readonly<Record<string, Partial<Question>>>): Cell[] {
  const answers = Object.keys(byAnswer);
  return texts.flatMap((text) =>
    answers.map(
      (answer): Cell =>
        () =>
          question(text, answer, answers, byAnswer[answer]!),
    ),
  );
}

const kindsOf = (view: View, keep: (kind: FindingKind) => boolean) =>
  view.findings.filter(keep).map((kind) => ({ view, kind }));
const findable = Object.values(views).filter((view) => view.findings.length > 0);
const all = findable.flatMap((view) => kindsOf(view, () => true));
const isSided = ({ sites }: FindingKind) => sites.some(({ side }) => side !== null);
const placesOf = ({ sites }: FindingKind) => [
  ...new Set(sites.flatMap(({ place }) => (place === null ? [] : [place]))),
];
const isPlaced = (kind: FindingKind) => placesOf(kind).length > 1;
const a = (name: string) => (/^[aeiou]/.test(name) ? `an ${name}` : `a ${name}`);
const article = (kind: FindingKind) => (kind.plural === "" ? kind.name : a(kind.name));

const sided = all.filter(({ kind }) => isSided(kind) && kind.name !== "midline shift");

function presence(): Cell[] {
  return all.flatMap(({ view, kind }) =>
    [`Is there ${article(kind)}?`, `Does this image show ${article(kind)}?`].flatMap((text) =>
      YES_NO.map((answer): Cell => {
        const wanted = answer === "yes" ? [{ kind }] : [];
        const denied = view.findings.filter(({ name, kindOf }) => name === kind.name || kindOf === kind.name);
        const excluded = answer === "yes" ? [] : denied.map(({ name }) => name);
        return () => question(text, answer, YES_NO, { views: [view.name], wanted, excluded, about: kind.name });
      }),
    ),
  );
}

function side(): Cell[] {
  const plain = sided.flatMap(({ view, kind }) =>
    [`On which side is the ${kind.name}?`, `Which side shows the ${kind.name}?`].flatMap((text) =>
      SIDES.map(
        (answer): Cell =>
          () => {
            const asked = {
              views: [view.name],
              wanted: [{ kind, side: answer }],
              excluded: [kind.name],
              about: kind.name,
            };
            return question(text, answer, SIDES, asked);
          },
      ),
    ),
  );
  const shift = all.find(({ kind }) => kind.name === "midline shift")!;
  const shifts = SIDES.map(
    (answer): Cell =>
      () => {
        const wanted = [{ kind: shift.kind, side: answer }];
        const about = shift.kind.name;
        return question("To which side is the midline shifted?", answer, SIDES, {
          views: [shift.view.name],
          wanted,
          about,
        });
      },
  );
  return [...plain, ...shifts];
}

function sideClosed(): Cell[] {
  return sided.flatMap(({ view, kind }) =>
    SIDES.flatMap((asked) =>
      SIDES.map(
        (shown): Cell =>
          () => {
            const rest = {
              views: [view.name],
              wanted: [{ kind, side: shown }],
              excluded: [kind.name],
              about: kind.name,
            };
            return question(`Is the ${kind.name} on the ${asked}?`, asked === shown ? "yes" : "no", YES_NO, rest);
          },
      ),
    ),
  );
}

/** Four places of a finding, one of them correct; every set of four with each answer. */
function location(): Cell[] {
  return all
    .filter(({ kind }) => isPlaced(kind))
    .flatMap(({ view, kind }) => {
      const names = kind.sites.map(siteName);
      return subsets(names, 4).flatMap((set) =>
        set.map(
          (answer): Cell =>
            (key, round) => {
              const site = kind.sites[names.indexOf(answer)]!;
              const want = { kind, place: site.place!, ...(site.side === null ? {} : { side: site.side }) };
              const rest = { views: [view.name], wanted: [want], excluded: [kind.name], about: kind.name };
              return choice(`Where is the ${kind.name}?`, answer, set, rest, key, round);
            },
        ),
      );
    });
}

function locationClosed(): Cell[] {
  return all
    .filter(({ kind }) => isPlaced(kind))
    .flatMap(({ view, kind }) => {
      const places = placesOf(kind);
      return places.flatMap((asked) =>
        YES_NO.map(
          (answer): Cell =>
            (key) => {
              const others = places.filter((place) => place !== asked);
              const place = answer === "yes" ? asked : others[integer(key, 0, others.length)]!;
              const rest = { views: [view.name], wanted: [{ kind, place }], excluded: [kind.name], about: kind.name };
              const where = / /.test(asked) ? asked : `${asked} part of the lung`;
              return question(`Is the ${kind.name} in the ${where}?`, answer, YES_NO, rest);
            },
        ),
      );
    });
}

function count(): Cell[] {
  const counts = ["1", "2", "3"] as const;
  return all
    .filter(({ kind }) => kind.countable)
    .flatMap(({ view, kind }) =>
      [`How many ${kind.plural} are there?`, `What is the number of ${kind.plural}?`].flatMap((text) =>
        counts.map(
          (answer): Cell =>
            () => {
              const wanted = Array.from({ length: Number(answer) }, () => ({ kind }));
              return question(text, answer, counts, {
                views: [view.name],
                wanted,
                excluded: [kind.name],
                about: kind.name,
              });
            },
        ),
      ),
    );
}

function sizeComparison(): Cell[] {
  return all
    .filter(({ kind }) => kind.countable && isSided(kind))
    .flatMap(({ view, kind }) =>
      SIDES.flatMap((larger) => {
        const wanted = SIDES.map((side) => ({ kind, side, size: side === larger ? 1 : 0 }));
        const rest = { views: [view.name], wanted, excluded: [kind.name], about: kind.name };
        const open = `Which side has the larger ${kind.name}?`;
        return [
          (): Question => question(open, larger, SIDES, rest),
          ...SIDES.map((asked) => (): Question => {
            const text = `Is the ${kind.name} on the ${asked} the larger one?`;
            return question(text, asked === larger ? "yes" : "no", YES_NO, rest);
          }),
        ];
      }),
    );
}

/** Every set of four findings (including none) with each of them as the answer. */
function finding(): Cell[] {
  return findable.flatMap((view) =>
    subsets([...view.findings.map(({ name }) => name), NORMAL], 4).flatMap((set) =>
      set.map(
        (answer): Cell =>
          (key, round) =>
            choice(
              `What is the most likely finding on this ${view.title}?`,
              answer,
              set,
              only(view, answer),
              key,
              round,
            ),
      ),
    ),
  );
}

function findingOpen(): Cell[] {
  return findable.flatMap((view) => {
    const answers = view.findings.map(({ name }) => name);
    return answers.map(
      (answer): Cell =>
        () =>
          question(`What abnormality does this ${view.title} show?`, answer, answers, only(view, answer)),
    );
  });
}

function only(view: View, name: string): Partial<Question> {
  const wanted = view.findings.filter((kind) => kind.name === name).map((kind) => ({ kind }));
  return { views: [view.name], wanted, excluded: "all", about: name === NORMAL ? null : name };
}

/** "right upper zone", "left anterior lung", "liver". */
function siteName({ side, place }: { readonly side: string | null; readonly place: string | null }): string {
  const named = place === "anterior" || place === "posterior" ? `${place} lung` : place!;
  return side === null ? named : `${side} ${named}`;
}

function choice(
  text: string,
  answer: string,
  set: readonly string[],
  rest: Partial<Question>,
  key: RandomKey,
  round: number,
): Question {
  const others = set.filter((other) => other !== answer);
  const order = Array.from(permutation(fold(key, "options"), others.length), (i) => others[i]!);
  const choices = order.toSpliced(round % set.length, 0, answer);
  return question(text, answer, set, { ...rest, choices, answerType: "choice" });
}

function subsets<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  if (size === 0) return [[]];
  return items.flatMap((first, i) => subsets(items.slice(i + 1), size - 1).map((rest) => [first, ...rest]));
}

/** All cells by kind, in the order in which indices go through the kinds. */
export const cells: Readonly<Record<QuestionKind, readonly Cell[]>> = {
  modality: simple(["Which imaging modality was used?", "How was this image taken?"], {
    "x-ray": { views: ["chest_xray"] },
    ct: { views: ["chest_ct", "abdomen_ct"] },
    mri: { views: BRAIN },
  }),
  sequence: simple(["Which MR sequence is this?", "Is this a T1, T2 or FLAIR image?"], {
    t1: { views: BRAIN, sequence: "t1" },
    t2: { views: BRAIN, sequence: "t2" },
    flair: { views: BRAIN, sequence: "flair" },
  }),
  plane: simple(["In which plane is this image?", "Is this slice axial, coronal or sagittal?"], {
    axial: { views: ["brain_axial"] },
    coronal: { views: ["brain_coronal"] },
    sagittal: { views: ["brain_sagittal"] },
  }),
  organ: simple(["Which part of the body is shown?", "What region does this image show?"], {
    chest: { views: CHEST },
    abdomen: { views: ["abdomen_ct"] },
    head: { views: BRAIN },
  }),
  presence: presence(),
  side: side(),
  side_closed: sideClosed(),
  location: location(),
  location_closed: locationClosed(),
  count: count(),
  size_comparison: sizeComparison(),
  finding: finding(),
  finding_open: findingOpen(),
};
