/** What a step's metrics say of the use of tools. */
import { meanMetric } from "../core/mean.ts";
import type { RolloutGroup } from "../core/records.ts";
import type { Metrics } from "../runs/metrics.ts";
import { adherence } from "./adherence.ts";

/** Of completions with tools; none without. */
export function toolMetrics(
  groups: readonly Pick<RolloutGroup, "completions">[],
  required: readonly string[] = [],
): Metrics {
  const turns = groups.flatMap(({ completions }) => completions.flatMap((one) => (one.turns ? [one.turns] : [])));
  const observed = turns.flat().flatMap(({ observation }) => observation ?? []);
  const calls = turns.map((own) => own.filter(({ observation }) => observation !== null).length);
  return {
    ...meanMetric("tool/calls_mean", calls),
    ...meanMetric(
      "tool/used_fraction",
      calls.map((count) => Number(count > 0)),
    ),
    ...meanMetric(
      "tool/error_fraction",
      observed.map(({ isError }) => Number(isError)),
    ),
    ...(required.length === 0
      ? {}
      : meanMetric(
          "tool/adherence",
          turns.map((own) => adherence(required, own)),
        )),
  };
}
