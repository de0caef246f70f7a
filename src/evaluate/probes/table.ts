/** Formats probe results as text: a heading and aligned rows of measures per probe. */
import { percent, points } from "../../core/percent.ts";
import { alignColumns } from "../../core/text-table.ts";
import type { Interval } from "../bootstrap.ts";
import type { Unit } from "./measure.ts";
import type { ProbeResults } from "./results.ts";

type Probed = ProbeResults["probes"][number];

/** The cells of a probe's rows: measure, condition, n, value with its interval. */
export function probeRows({ measures }: Pick<Probed, "measures">): readonly (readonly string[])[] {
  return measures.map(({ name, condition, unit, interval }) => {
    const n = interval === null ? "0" : String(interval.n);
    return [name.replaceAll("_", " "), condition ?? "", n, interval === null ? "none" : formatValue(interval, unit)];
  });
}

export function formatProbes({ probes }: Pick<ProbeResults, "probes">): string {
  const asked = probes.filter(({ skipped }) => skipped === null);
  const skipped = probes.filter((probe) => probe.skipped !== null);
  const blocks = asked.map((probe) => {
    const rows = alignColumns([["", "", "n", "% or number [95 % interval]"], ...probeRows(probe)], 2);
    return [`${probe.probe}: ${probe.title}`, ...rows.map((row) => `  ${row}`)].join("\n");
  });
  const why = skipped.map((probe) => `  ${probe.probe}: ${probe.skipped}`);
  return [...blocks, ...(why.length > 0 ? [["not applicable", ...why].join("\n")] : [])].join("\n\n");
}

/** Shares in percent, differences in points with sign, everything else with two decimals. */
export function formatValue({ estimate, low, high }: Interval, unit: Unit): string {
  const shown = (value: number) => {
    if (unit === "share") return percent(value);
    if (unit === "difference") return points(value);
    return Math.abs(value) >= 1000 ? value.toPrecision(4) : value.toFixed(2);
  };
  return `${shown(estimate)} [${shown(low)}, ${shown(high)}]`;
}
