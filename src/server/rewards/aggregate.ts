/** NeMo-Gym's aggregate of verified rollouts: mean, max, min, median and sample deviation of their numbers, by task and overall. */
import { type Fields, listAt, objectAt } from "./dialect.ts";

/** What NeMo-Gym calls a row of its data and a rollout of it. */
const TASK = "_ng_task_index";
const ROLLOUT = "_ng_rollout_index";

/** Keys are `mean/reward` and the like. Throws ApiError (400) for a body without verify_responses. */
export function aggregate(body: unknown): object {
  const given = listAt(objectAt(body, "body")["verify_responses"], "verify_responses");
  const responses = given.map((each, i) => objectAt(each, `verify_responses[${i}]`));
  const byTask = new Map<number, Fields[]>();
  for (const response of responses) {
    const task = Number(response[TASK] ?? 0);
    byTask.set(task, [...(byTask.get(task) ?? []), response]);
  }
  const groups = [...byTask].sort(([a], [b]) => a - b).map(([task, own]) => ({ [TASK]: task, ...statistics(own) }));
  const overall = statistics(responses);
  const key = overall["mean/reward"];
  return {
    group_level_metrics: groups,
    agent_metrics: overall,
    key_metrics: key === undefined ? {} : { "mean/reward": key },
  };
}

function statistics(rows: readonly Fields[]): Record<string, number> {
  const flat = rows.map(numbersOf);
  const names = [...new Set(flat.flatMap((row) => Object.keys(row)))];
  return Object.fromEntries(
    names.flatMap((name) =>
      describe(
        name,
        flat.flatMap((row) => row[name] ?? []),
      ),
    ),
  );
}

function numbersOf({ reward_components, ...row }: Fields): Record<string, number> {
  const parts = typeof reward_components === "object" && reward_components !== null ? reward_components : {};
  const entries = [...Object.entries(row), ...Object.entries(parts)];
  const numbers = entries.filter(([name, value]) => name !== TASK && name !== ROLLOUT && Number.isFinite(value));
  return Object.fromEntries(numbers) as Record<string, number>;
}

function describe(name: string, values: readonly number[]): readonly (readonly [string, number])[] {
  const sorted = [...values].sort((a, b) => a - b);
  const { length } = sorted;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / length;
  const squares = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const middle = (sorted[Math.floor((length - 1) / 2)]! + sorted[Math.ceil((length - 1) / 2)]!) / 2;
  const found = { mean, max: sorted[length - 1]!, min: sorted[0]!, median: middle };
  const all = { ...found, std: length < 2 ? 0 : Math.sqrt(squares / (length - 1)) };
  return Object.entries(all).map(([statistic, value]) => [`${statistic}/${name}`, value] as const);
}
