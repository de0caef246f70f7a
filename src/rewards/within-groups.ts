/** How a reward goes with length and with right answers within groups, which is what advantages see. */
import { matchAnswer } from "../answers/match.ts";
import type { ParsedAnswer } from "../answers/parse.ts";
import { meanOf } from "../core/mean.ts";
import type { AnswerType, Completion } from "../core/records.ts";

/** What is read of a recorded group: a row of rollouts.jsonl. */
export interface RecordedGroup<C extends RecordedCompletion = RecordedCompletion> {
  readonly answer: string;
  readonly answer_type: AnswerType;
  readonly choices: readonly string[];
  readonly answer_index: number | null;
  readonly completions: readonly C[];
}

export interface RecordedCompletion {
  readonly tokens: number;
  readonly finish_reason: Completion["finishReason"];
  readonly parsed_answer: ParsedAnswer | null;
}

/** Completions that were not cut, with whether they are right. */
export interface JudgedGroup<C extends RecordedCompletion> {
  readonly completions: readonly { readonly completion: C; readonly correct: number }[];
}

/** Completions that were cut are left out: they are long and wrong for one and the same reason. */
export function judgeGroup<C extends RecordedCompletion>(group: RecordedGroup<C>): JudgedGroup<C> {
  const { answer_type, answer, choices, answer_index, completions } = group;
  const question = { answerType: answer_type, answer, choices, answerIndex: answer_index ?? undefined };
  const whole = completions.filter(({ finish_reason }) => finish_reason !== "length");
  return {
    completions: whole.map((completion) => {
      const { correct } = matchAnswer(question, completion.parsed_answer?.text ?? null);
      return { completion, correct: Number(correct) };
    }),
  };
}

/** Values as given, and deviations from their group's mean; `group` says whose each is. */
export interface Deviations {
  readonly given: readonly number[];
  readonly reward: readonly number[];
  readonly length: readonly number[];
  readonly correct: readonly number[];
  readonly group: readonly number[];
}

export function deviations<C extends RecordedCompletion>(
  groups: readonly JudgedGroup<C>[],
  read: (completion: C) => number | null,
): Deviations {
  const all = { given: [] as number[], reward: [] as number[], length: [] as number[], correct: [] as number[] };
  const group: number[] = [];
  for (const [g, { completions }] of groups.entries()) {
    const rows = completions.flatMap(({ completion, correct }) => {
      const reward = read(completion);
      return reward === null ? [] : [{ reward, length: completion.tokens, correct }];
    });
    all.given.push(...rows.map(({ reward }) => reward));
    group.push(...rows.map(() => g));
    for (const key of ["reward", "length", "correct"] as const) {
      const center = meanOf(rows.map((row) => row[key]));
      all[key].push(...rows.map((row) => row[key] - center));
    }
  }
  return { ...all, group };
}

/** Pearson's, of values whose mean is 0, each counted `times`; 0 where one of them does not vary. */
export function centredCorrelation(a: readonly number[], b: readonly number[], times?: ArrayLike<number>): number {
  const dot = (x: readonly number[], y: readonly number[]) =>
    x.reduce((sum, value, i) => sum + (times?.[i] ?? 1) * value * y[i]!, 0);
  const [aa, bb] = [dot(a, a), dot(b, b)];
  const rounding = 1e-18 * a.length;
  return aa <= rounding || bb <= rounding ? 0 : dot(a, b) / Math.sqrt(aa * bb);
}
