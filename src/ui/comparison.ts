/** Evaluations side by side: the comparison of `viva compare` itself, and the questions behind its counts. */
import { UserError } from "../core/errors.ts";
import { type Comparison, compareEvaluations, readEvaluation } from "../evaluate/index.ts";
import { imageId } from "./images.ts";

/** What one arm answered. */
export interface CaseAnswer {
  readonly prediction: string;
  readonly strict: 0 | 1;
  readonly lenient: 0 | 1;
  readonly parse_failure: boolean;
}

export interface ComparedCase {
  readonly example_id: string;
  readonly question: string;
  readonly answer: string;
  readonly answer_type: string;
  readonly strata: Readonly<Record<string, string>>;
  /** What its images are asked for by. */
  readonly images: readonly string[];
  /** In the order of the arms, the reference first. */
  readonly answers: readonly CaseAnswer[];
}

export interface ShownComparison {
  /** Null where the evaluations cannot be compared at all; `problem` then says why. */
  readonly comparison: Comparison | null;
  readonly problem: string | null;
  /** What makes the comparison unfair, a sentence each; where there is any, nothing is concluded. */
  readonly unfair: readonly string[];
  readonly cases: readonly ComparedCase[];
}

const MOST_CASES = 5000;

/** `evaluations` are folders, or folder@step; the first is the reference. */
export function compareShown(
  evaluations: readonly { readonly path: string; readonly label: string }[],
): ShownComparison {
  try {
    const arms = evaluations.map(({ path, label }) => readEvaluation(path, label));
    const comparison = compareEvaluations(arms, { allow: ["prompt", "decoding", "images"] });
    const unfair = comparison.allowed_differences.map(({ arm, condition, what }) => `${condition} of ${arm}: ${what}`);
    const byId = arms.map(({ items }) => new Map(items.map((item) => [item.example_id, item])));
    const cases = arms[0]!.items.slice(0, MOST_CASES).map((item): ComparedCase => {
      const { example_id, question, answer, answer_type, strata } = item;
      const answers = byId.map((items) => {
        const { prediction, strict, lenient, parse_failure } = items.get(example_id)!;
        return { prediction: prediction.slice(0, 4000), strict, lenient, parse_failure };
      });
      const images = (item.images ?? []).map(imageId);
      return { example_id, question, answer, answer_type, strata, images, answers };
    });
    return { comparison, problem: null, unfair, cases };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { comparison: null, problem: error.message, unfair: [], cases: [] };
  }
}
