/** Whether a run's rewards went by length or by right answers, from its rollouts. */
import { existsSync } from "node:fs";
import { UserError } from "../core/errors.ts";
import {
  centredCorrelation,
  deviations,
  judgeGroup,
  type RecordedCompletion,
  type RecordedGroup,
} from "../rewards/within-groups.ts";
import { scanJsonl } from "../runs/jsonl.ts";
import { runPaths } from "../runs/run-folder.ts";
import type { RewardCorrelation } from "../runs/statistics-records.ts";
import { bootstrapStatistic, RESAMPLES } from "./bootstrap.ts";

interface Completion extends RecordedCompletion {
  readonly rewards: Readonly<Record<string, number | null>>;
  readonly reward: number | null;
}

interface Group extends RecordedGroup<Completion> {
  readonly subject_id: string;
}

/** Groups kept in memory at most: the last of these are looked at. */
const MOST = 2000;

/** Correlations within the groups of the last fifth of the rollouts, with intervals over subjects. */
export function rewardCorrelations(folder: string): readonly RewardCorrelation[] {
  const { rollouts } = runPaths(folder);
  const recent: Group[] = [];
  let total = 0;
  if (!existsSync(rollouts)) return [];
  try {
    for (const line of scanJsonl<Partial<Group>>(rollouts)) {
      if (!Array.isArray(line.completions)) continue;
      total++;
      recent.push(line as Group);
      if (recent.length > 2 * MOST) recent.splice(0, MOST);
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
  return correlationsOf(recent.slice(-Math.max(1, Math.min(MOST, Math.floor(total / 5)))));
}

/** Of these groups, the weighted sum first. */
export function correlationsOf(groups: readonly Group[]): readonly RewardCorrelation[] {
  const judged = groups.map((group) => judgeGroup<Completion>(group));
  const names = [...new Set(groups.flatMap(({ completions }) => Object.keys(completions[0]?.rewards ?? {})))];
  const subjects = groups.map(({ subject_id }) => subject_id);
  const of = (reward: string | null, read: (completion: Completion) => number | null): RewardCorrelation[] => {
    const found = deviations(judged, read);
    const own = found.group.map((g) => subjects[g]!);
    const interval = (other: readonly number[]) =>
      bootstrapStatistic(
        own,
        (times) => {
          const value = centredCorrelation(found.reward, other, times);
          return value === 0 ? Number.NaN : value;
        },
        { resamples: RESAMPLES.report },
      );
    const [with_length, with_accuracy] = [interval(found.length), interval(found.correct)];
    return with_length === null && with_accuracy === null ? [] : [{ reward, with_length, with_accuracy }];
  };
  const single = names.map((name) => of(name, ({ rewards }) => rewards[name] ?? null));
  return [...of(null, ({ reward }) => reward), ...(names.length > 1 ? single.flat() : [])];
}
