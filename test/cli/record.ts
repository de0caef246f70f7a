/** The record of a run as equal runs must agree on it: all streams, clock readings left out. */
import { isTimingKey } from "../../src/runs/metrics.ts";
import { jsonLines } from "./command-line.ts";

const untimed = (line: object) => Object.fromEntries(Object.entries(line).filter(([key]) => !isTimingKey(key)));

/** Metrics (without clock readings), rollouts, evaluations and events of a run folder. */
export function readRecord(run: string) {
  return {
    metrics: jsonLines(run, "metrics.jsonl").map(untimed),
    rollouts: jsonLines(run, "rollouts.jsonl"),
    evals: jsonLines(run, "evals.jsonl"),
    events: jsonLines(run, "events.jsonl"),
  };
}
