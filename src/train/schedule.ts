/** Learning-rate schedules: multipliers of the base rate, as transformers' get_scheduler defines them. */

export const schedules = ["constant", "constant_with_warmup", "linear", "cosine"] as const;
export type Schedule = (typeof schedules)[number];

/** Multiplier at `step` (from 0) of `steps`, rising linearly over the first `warmup` steps ("constant" has none). */
export function scheduleAt(schedule: Schedule, step: number, steps: number, warmup: number): number {
  if (schedule === "constant") return 1;
  if (step < warmup) return step / Math.max(1, warmup);
  if (schedule === "constant_with_warmup") return 1;
  const progress = (step - warmup) / Math.max(1, steps - warmup);
  return Math.max(0, schedule === "linear" ? 1 - progress : 0.5 * (1 + Math.cos(Math.PI * progress)));
}
