/** Metrics as columns over steps; the server makes them, and pages join what is appended. */
import type { Line } from "./lines.ts";

/** Null where a step lacks a metric or it is no number. */
export interface MetricColumns {
  readonly steps: readonly number[];
  readonly stages: readonly string[];
  readonly values: Readonly<Record<string, readonly (number | null)[]>>;
}

export function metricColumns(rows: readonly Line[]): MetricColumns {
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((key) => key !== "step" && key !== "stage");
  const numberAt = (row: Line, key: string) => {
    const value = row[key];
    return typeof value === "number" ? value : null;
  };
  const values = keys.map((key) => [key, rows.map((row) => numberAt(row, key))] as const);
  return {
    steps: rows.map((row) => numberAt(row, "step") ?? 0),
    stages: rows.map(({ stage }) => String(stage ?? "")),
    values: Object.fromEntries(values.filter(([, column]) => column.some((value) => value !== null))),
  };
}

/** The columns with later ones below them. */
export function joined(known: MetricColumns, later: MetricColumns): MetricColumns {
  const keys = [...new Set([...Object.keys(known.values), ...Object.keys(later.values)])];
  const column = ({ values, steps }: MetricColumns, key: string) => values[key] ?? steps.map(() => null);
  return {
    steps: [...known.steps, ...later.steps],
    stages: [...known.stages, ...later.stages],
    values: Object.fromEntries(keys.map((key) => [key, [...column(known, key), ...column(later, key)]])),
  };
}
