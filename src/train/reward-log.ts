/** What rewards tell beside their scores, over the groups of a step: counts for the metrics, events for the run's record. */
import type { RewardLog } from "../rewards/index.ts";
import type { Metrics } from "../runs/metrics.ts";

/** A reward's event; of equal ones in a step the first is kept, with how often it came. */
export type RewardEvent = Parameters<RewardLog["event"]>[0] & { readonly reward: string; readonly times: number };

export interface StepRewardLog {
  /** The log of one reward, by its name. */
  of(reward: string): RewardLog;
  /** `reward/<name>/<what>`. */
  counts(): Metrics;
  events(): readonly RewardEvent[];
}

/** A log for one step. */
export function openRewardLog(): StepRewardLog {
  const counts: Record<string, number> = {};
  const events = new Map<string, RewardEvent>();
  return {
    of: (reward) => ({
      count(what) {
        const key = `reward/${reward}/${what}`;
        counts[key] = (counts[key] ?? 0) + 1;
      },
      event(record) {
        const key = `${reward}/${record.event}`;
        const first = events.get(key) ?? { ...record, reward, times: 0 };
        events.set(key, { ...first, times: first.times + 1 });
      },
    }),
    counts: () => counts,
    events: () => [...events.values()],
  };
}
