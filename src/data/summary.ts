/** What is in a set of examples: counts, strata, and how far the most frequent answers alone would get. */
import type { Example } from "../core/records.ts";

/** Values with their counts, most frequent first. Pairs, because an object would put the value "2" before the others. */
export type Counts = readonly (readonly [value: string, count: number])[];

export interface AnswerPrior {
  readonly examples: number;
  /** How many different answers, as written but for case. */
  readonly answers: number;
  /** The most frequent answers with their counts, most frequent first, at most ten. */
  readonly top: Counts;
}

export interface DatasetSummary {
  readonly examples: number;
  readonly subjects: number;
  /** Different images. */
  readonly images: number;
  readonly splits: Counts;
  readonly answerTypes: Counts;
  /** By stratum (modality, organ, content_type …) the count of each value. */
  readonly strata: Readonly<Record<string, Counts>>;
  /** By answer type. */
  readonly answerPriors: Readonly<Record<string, AnswerPrior>>;
  readonly withRationale: number;
}

export function datasetSummary(examples: readonly Example[]): DatasetSummary {
  const types = [...new Set(examples.map((example) => example.answerType))];
  const keys = [...new Set(examples.flatMap((example) => Object.keys(example.meta)))].filter((key) => key !== "split");
  const strata = keys.map((key) => [key, count(examples, (example) => example.meta[key] || "(none)")] as const);
  return {
    examples: examples.length,
    subjects: new Set(examples.map((example) => example.subjectId)).size,
    images: new Set(examples.flatMap((example) => example.images.map((image) => image.path))).size,
    splits: count(examples, (example) => example.meta.split ?? "(none)"),
    answerTypes: count(examples, (example) => example.answerType),
    strata: Object.fromEntries(strata),
    answerPriors: Object.fromEntries(types.map((type) => [type, priorOf(examples, type)])),
    withRationale: examples.filter((example) => example.rationale !== undefined).length,
  };
}

/** The summary as lines for a terminal; of each stratum the most frequent values. */
export function formatDatasetSummary(summary: DatasetSummary): string {
  const { examples, images, subjects, withRationale } = summary;
  const lines = [
    `${examples} questions, ${images} images, ${subjects} subjects, ${withRationale} with a rationale`,
    row("splits", summary.splits, examples),
    row("answer types", summary.answerTypes, examples),
    ...Object.entries(summary.strata).map(([name, counts]) => row(name, counts, examples)),
    ...Object.entries(summary.answerPriors).map(([type, prior]) =>
      row(`${type} answers (${prior.answers})`, prior.top, prior.examples),
    ),
  ];
  return lines.join("\n");
}

/** Four examples from all over the data, with their image files to look at. */
export function describeSamples(examples: readonly Example[]): string {
  const chosen = [0, 1, 2, 3].flatMap(
    (quarter) => examples[Math.floor((examples.length * (2 * quarter + 1)) / 8)] ?? [],
  );
  const lines = [...new Set(chosen)].map(({ images, question, answer, choices }) => {
    const options = choices.length > 0 ? ` [${choices.join(" | ")}]` : "";
    return `  ${images.map(({ path }) => path).join(", ")}\n    ${question}${options} ${answer}`;
  });
  return ["sample images", ...lines].join("\n");
}

function row(name: string, counts: Counts, total: number): string {
  const shown = counts.slice(0, 8).map(([value, n]) => `${value} ${n} (${Math.round((100 * n) / total)} %)`);
  return `${name.padEnd(24)} ${shown.join(", ")}${counts.length > 8 ? ", …" : ""}`;
}

function priorOf(examples: readonly Example[], type: string): AnswerPrior {
  const chosen = examples.filter((example) => example.answerType === type);
  const counts = count(chosen, (example) => example.answer.toLowerCase());
  return { examples: chosen.length, answers: counts.length, top: counts.slice(0, 10) };
}

function count(examples: readonly Example[], keyOf: (example: Example) => string): Counts {
  const counts = new Map<string, number>();
  for (const example of examples) counts.set(keyOf(example), (counts.get(keyOf(example)) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}
