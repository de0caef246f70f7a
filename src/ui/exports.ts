/** What annotations come to: rewards against people, annotators against each other, and files that other commands read. */
import { agreementOf, type JudgedPair } from "../evaluate/agreement.ts";
import { RESAMPLES } from "../evaluate/bootstrap.ts";
import { type Annotation, annotationsFolder, readAnnotations, textHash } from "./annotations.ts";
import type { Line } from "./lines.ts";
import { type RunView, viewRun } from "./run-view.ts";

/** An annotation with the completion it is about. */
export interface MarkedCompletion {
  readonly mark: Annotation;
  readonly group: Line;
  readonly completion: Line;
  readonly subject: string;
  /** The text is another than the annotator saw. */
  readonly changed: boolean;
}

const options = { resamples: RESAMPLES.report };
/** Thresholds at which a reward counts as a yes. */
const THRESHOLDS = [0.1, 0.25, 0.5, 0.75, 0.9, 1];
/** Splits that are held back for evaluation: what is learnt from them could not be measured any more. */
const HELD_BACK = ["test", "eval", "validation", "val", "dev"];

export function markedCompletions(run: RunView): readonly MarkedCompletion[] {
  return readAnnotations(annotationsFolder(run.found.folder)).flatMap((mark) => {
    const group = run.groups.group(mark.row);
    const completions = group?.["completions"];
    const completion = Array.isArray(completions) ? (completions[mark.completion] as Line | undefined) : undefined;
    if (group === null || completion === undefined || completion === null) return [];
    const subject = String(group["subject_id"] ?? group["example_id"] ?? mark.row);
    return [{ mark, group, completion, subject, changed: textHash(String(completion["text"])) !== mark.text_sha256 }];
  });
}

/** How each reward agrees with people on the answers, and people with each other; changed texts are left out. */
export function calibrationOf(marked: readonly MarkedCompletion[]) {
  const current = marked.filter(({ changed }) => !changed);
  const first = current.filter(({ mark }) => !mark.repeat && (mark.answer === "right" || mark.answer === "wrong"));
  const names = [...new Set(first.flatMap(({ completion }) => Object.keys((completion["rewards"] ?? {}) as Line)))];
  const pairsAt = (name: string, threshold: number) =>
    first.flatMap(({ mark, completion, subject }): JudgedPair[] => {
      const value = ((completion["rewards"] ?? {}) as Line)[name];
      if (typeof value !== "number") return [];
      return [{ subject, theirs: mark.answer === "right" ? 1 : 0, own: value >= threshold ? 1 : 0 }];
    });
  return {
    annotators: [...new Set(current.map(({ mark }) => mark.by))].map((by) => {
      const own = current.filter(({ mark }) => mark.by === by);
      return { by, marks: own.length, repeats: own.filter(({ mark }) => mark.repeat).length };
    }),
    changed: marked.length - current.length,
    rewards: names.map((name) => ({
      name,
      ...agreementOf(pairsAt(name, 0.5), options),
      curve: THRESHOLDS.map((threshold) => {
        const { sensitivity, specificity } = agreementOf(pairsAt(name, threshold), { resamples: 1 });
        return { threshold, sensitivity: sensitivity?.estimate ?? null, specificity: specificity?.estimate ?? null };
      }),
    })),
    between: betweenAnnotators(first),
    within: agreementOf(repeatedPairs(current), options),
  };
}

/** Every pair of annotators on the completions that both judged. */
function betweenAnnotators(first: readonly MarkedCompletion[]) {
  const people = [...new Set(first.map(({ mark }) => mark.by))].sort();
  return people.flatMap((a, i) =>
    people.slice(i + 1).map((b) => {
      const pairs = first.flatMap(({ mark, subject }): JudgedPair[] => {
        if (mark.by !== a) return [];
        const other = first.find((one) => one.mark.by === b && sameTarget(one.mark, mark));
        return other === undefined ? [] : [{ subject, theirs: yes(mark), own: yes(other.mark) }];
      });
      return { a, b, ...agreementOf(pairs, options) };
    }),
  );
}

function repeatedPairs(current: readonly MarkedCompletion[]): readonly JudgedPair[] {
  return current.flatMap(({ mark, subject }): JudgedPair[] => {
    if (!mark.repeat || mark.answer === null) return [];
    const before = current.find((one) => !one.mark.repeat && one.mark.by === mark.by && sameTarget(one.mark, mark));
    return before === undefined ? [] : [{ subject, theirs: yes(before.mark), own: yes(mark) }];
  });
}

const yes = ({ answer }: Annotation) => (answer === "right" ? 1 : 0);
const sameTarget = (a: Annotation, b: Annotation) => a.row === b.row && a.completion === b.completion;

/** The pairs of a run folder by people's marks, as rows of a file of pairs; images by their names in the record. */
export function markedPairs(folder: string): readonly MarkedPair[] {
  const run = viewRun({ id: "", folder, path: folder, study: null });
  run.update();
  return exportLines(markedCompletions(run), "pairs") as readonly MarkedPair[];
}

export interface MarkedPair {
  readonly images: readonly string[];
}

export type ExportKind = "calibration" | "pairs" | "rationales";

/** Lines of an export. Rows of splits held back for evaluation are left out of what can be trained on. */
export function exportLines(marked: readonly MarkedCompletion[], kind: ExportKind): readonly object[] {
  const usable = marked.filter(({ mark, changed }) => !changed && !mark.repeat);
  if (kind === "calibration") return usable.flatMap(calibrationRow);
  const trainable = usable.filter(({ group }) => !HELD_BACK.includes(String((group["meta"] as Line)?.["split"] ?? "")));
  return kind === "pairs" ? preferencePairs(trainable) : trainable.flatMap(rationaleRow);
}

/** As `viva probe --calibration` reads it. */
function calibrationRow({ mark, group, completion, subject }: MarkedCompletion): readonly object[] {
  if (mark.rationale !== "sound" && mark.rationale !== "flawed") return [];
  const choices = group["choices"] as readonly string[] | undefined;
  return [
    {
      question: group["question"],
      answer: group["answer"],
      ...(choices === undefined || choices.length === 0 ? {} : { choices }),
      completion: completion["text"],
      verdict: mark.rationale === "sound" ? "yes" : "no",
      subject,
      rewards: completion["rewards"],
    },
  ];
}

/** As a stage of kind dpo reads it: of a group, a completion that people call right or better and one they do not. */
function preferencePairs(marked: readonly MarkedCompletion[]): readonly object[] {
  return [...new Set(marked.map(({ mark }) => mark.row))].flatMap((row) => {
    const own = marked.filter(({ mark }) => mark.row === row);
    const { group } = own[0]!;
    const texts = (group["completions"] as readonly Line[]).map(({ text }) => String(text));
    const verdict = new Map<number, ReadonlySet<string>>();
    for (const { mark } of own) {
      verdict.set(mark.completion, new Set([...(verdict.get(mark.completion) ?? []), String(mark.answer)]));
    }
    const all = (wanted: string) =>
      [...verdict].filter(([, said]) => said.size === 1 && said.has(wanted)).map(([c]) => c);
    const byAnswer = all("right").flatMap((a) => all("wrong").map((b) => ({ a, b, why: "right against wrong" })));
    const better = own.flatMap(({ mark }) =>
      mark.better_than === null ? [] : [{ a: mark.completion, b: mark.better_than, why: "called better" }],
    );
    const contradicted = (a: number, b: number) => better.some((other) => other.a === b && other.b === a);
    const pairs = [...byAnswer, ...better].filter(({ a, b }) => texts[a] !== texts[b] && !contradicted(a, b));
    return pairs
      .filter(({ a, b }, i) => pairs.findIndex((other) => other.a === a && other.b === b) === i)
      .map(({ a, b, why }) => ({ ...exampleOf(group, `${row}:${a}-${b}`), chosen: texts[a], rejected: texts[b], why }));
  });
}

function rationaleRow({ mark, group, completion }: MarkedCompletion): readonly object[] {
  if (mark.answer !== "right" || mark.rationale !== "sound" || mark.unsafe) return [];
  return [{ ...exampleOf(group, `${mark.row}:${mark.completion}`), rationale: completion["text"], by: mark.by }];
}

function exampleOf(group: Line, id: string) {
  const choices = group["choices"] as readonly string[] | undefined;
  return {
    id,
    images: (group["images"] as readonly Line[]).map(({ path }) => path),
    question: group["question"],
    answer: group["answer"],
    ...(choices === undefined || choices.length === 0 ? {} : { choices }),
    subject: group["subject_id"],
  };
}
