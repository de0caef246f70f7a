/** How far a completion kept to its workflow: the checklist's score of its trace, whose goals are the required calls in order. */
import type { CompletionTurn } from "../core/records.ts";
import { checklistScore, reachGoals } from "../rewards/checklist/score.ts";

/** Share of the required calls that were made, each after those before it, once a turn, and not answered by an error. */
export function adherence(calls: readonly string[], turns: readonly CompletionTurn[]): number {
  const goals = calls.map((name, i) => ({ id: String(i), weight: 1, after: i === 0 ? [] : [String(i - 1)], name }));
  const used = new Set<number>();
  const reached = reachGoals(goals, turns.length, ({ name }, turn) => {
    const { call, observation } = turns[turn]!;
    const holds = !used.has(turn) && call?.name === name && observation?.isError === false;
    if (holds) used.add(turn); // the goal is reached here
    return holds;
  });
  return checklistScore(reached, [], 0) ?? 1;
}
