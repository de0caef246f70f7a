/** The flat record of one training step, and which of its fields may differ between two equal runs. */

/** One row of metrics.jsonl: plain numbers and short texts by name ("reward/mean", "time/sample_s"). */
export type Metrics = Readonly<Record<string, number | string>>;

/** True for fields that hold clock readings: two runs of one recipe and seed agree in every other field. */
export function isTimingKey(key: string): boolean {
  return key.startsWith("time/") || key.startsWith("throughput/");
}
