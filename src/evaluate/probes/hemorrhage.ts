/**
 * What deployment breaks (Model Hemorrhage, arXiv 2503.23924): the checkpoint with rounded and pruned matrices and decoded
 * otherwise, by flips and not by accuracy alone, which may stay while answers change both ways (arXiv 2407.09141).
 */
import type { Interval } from "../bootstrap.ts";
import { factScore } from "../facts.ts";
import { type Change, type Divergence, type DivergenceRow, isBadFlip, isGoodFlip } from "../metrics/flips.ts";
import type { Asked } from "./asked.ts";
import { accuracyChange, keyOf, type Measure, mean, measured, type Pair, pairsOf, share, valuesOf } from "./measure.ts";
import type { Probe, ProbeContext, Variant } from "./probe.ts";

/** Doses of each kind of change, rising. */
const PRUNED = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8] as const;

interface Dosed extends Variant {
  /** What rises over the kind's variants, for the bleeding point; null where there is no order. */
  readonly kind: string | null;
  readonly dose: number;
}

/** Rounding, with scales searched as a mitigation; pruning; decoding. */
const common: readonly Dosed[] = [
  ...([8, 4] as const).flatMap((bits): Dosed[] => [
    unordered({ name: `int${bits} weights`, weights: { kind: "quantize", bits }, seeksTemperature: true }),
    unordered({ name: `int${bits}, scales searched`, weights: { kind: "quantize", bits, search: true } }),
  ]),
  ...PRUNED.map((sparsity) => pruned("magnitude", sparsity)),
  ...PRUNED.map((sparsity) => pruned("random", sparsity)),
  ...[0.7, 1].map((temperature, i) => unordered({ name: `temperature ${temperature}`, temperature, draw: i + 2 })),
  unordered({ name: "top-p 0.9", temperature: 1, topP: 0.9, draw: 4 }),
  unordered({ name: "half the length", lengthShare: 0.5 }),
];

/** What must be calibrated on training questions. */
const calibrated: readonly Dosed[] = (["wanda", "gradient"] as const).flatMap((method) =>
  PRUNED.map((sparsity) => pruned(method, sparsity)),
);

/** Below this change of accuracy the interval must lie for a dose to bleed (ours). */
const BLEEDS = -0.01;

export const hemorrhage: Probe = {
  title: "rounded and pruned weights and other decoding against the checkpoint as it is",
  about: "bias",
  onlyNamed: true,
  readsTraining: true,
  plan(context) {
    const variants = (context.train ?? []).length === 0 ? common : [...common, ...calibrated];
    return {
      variants,
      diverges: true,
      measure(answers, divergences) {
        const changes = answers.map((asked) => pairsOf(context.plain, asked));
        return [
          ...changes.flatMap((pairs, v) => {
            const { name } = variants[v]!;
            return [...measuresOf(context, pairs, name), ...divergenceMeasures(divergences.get(name) ?? null, name)];
          }),
          ...bleedingPoints(
            variants,
            changes.map((pairs) => accuracyChange(pairs, null).interval),
          ),
        ];
      },
    };
  },
};

function measuresOf(context: ProbeContext, pairs: readonly Pair[], condition: string): readonly Measure[] {
  const changeOf = (pair: Pair): Change => {
    const { item, before } = pair;
    return { changed: keyOf(pair) !== keyOf(before), before: before.item.strict, after: item.strict };
  };
  const difference = (name: string, of: (asked: Asked) => number | null, unit: "difference" | "number") => {
    const values = valuesOf(pairs, (pair) => {
      const [after, before] = [of(pair), of(pair.before)];
      return after === null || before === null ? null : after - before;
    });
    return mean(name, unit, values, condition);
  };
  const claims = difference("claim_precision_change", (asked) => precisionOf(context, asked), "difference");
  return [
    accuracyChange(pairs, condition),
    share("flip_rate", pairs, (pair) => changeOf(pair).changed, condition),
    share("bad_flips", pairs, (pair) => isBadFlip(changeOf(pair)), condition),
    share("good_flips", pairs, (pair) => isGoodFlip(changeOf(pair)), condition),
    ...(claims.interval === null ? [] : [claims]),
    difference("length_change", ({ item }) => item.tokens ?? null, "number"),
    difference("parse_failure_change", ({ item }) => (item.parse_failure ? 1 : 0), "difference"),
  ];
}

/** KL(checkpoint ‖ variant) in nats per token, and at the temperature nearest to the checkpoint (a mitigation, ours). */
function divergenceMeasures(found: Divergence | null, condition: string): readonly Measure[] {
  if (found === null) return [];
  const { rows, cooled } = found;
  const kl = (name: string, of: readonly DivergenceRow[], estimate: "k1" | "k3") =>
    measured(
      name,
      "number",
      of.map(({ subject }) => subject),
      (times) => ratioOf(of, times, estimate),
      condition,
    );
  const measures = [kl("kl_k1", rows, "k1"), kl("kl_k3", rows, "k3")];
  if (cooled === null) return measures;
  const { temperature: at } = cooled;
  const interval = { estimate: at, low: at, high: at, n: rows.length, subjects: rows.length };
  return [
    ...measures,
    { name: "nearest_temperature", condition, unit: "number", interval },
    kl("kl_k3_at_it", cooled.rows, "k3"),
  ];
}

function ratioOf(rows: readonly DivergenceRow[], times: Float64Array, estimate: "k1" | "k3"): number {
  let [sum, tokens] = [0, 0];
  for (const [i, row] of rows.entries()) {
    sum += times[i]! * row[estimate];
    tokens += times[i]! * row.tokens;
  }
  return sum / tokens;
}

function precisionOf({ examples, style, vocabulary }: ProbeContext, { index, item }: Asked): number | null {
  return style === "answer_only"
    ? null
    : (factScore(examples[index]!, item.prediction, { style, vocabulary })?.precision ?? null);
}

/** The smallest dose of a kind whose interval of the change in accuracy lies below -1 point; none: no interval. */
function bleedingPoints(variants: readonly Dosed[], changes: readonly (Interval | null)[]): readonly Measure[] {
  const kinds = [...new Set(variants.flatMap(({ kind }) => kind ?? []))];
  return kinds.map((kind) => {
    const at = variants.findIndex((variant, v) => variant.kind === kind && (changes[v]?.high ?? 0) < BLEEDS);
    const dose = variants[at]?.dose;
    const n = changes[0]?.n ?? 0;
    const interval =
      dose === undefined ? null : { estimate: dose, low: dose, high: dose, n, subjects: changes[0]!.subjects };
    return { name: "bleeding_point", condition: kind, unit: "number", interval };
  });
}

function unordered(variant: Variant): Dosed {
  return { ...variant, kind: null, dose: 0 };
}

function pruned(method: "magnitude" | "random" | "wanda" | "gradient", sparsity: number): Dosed {
  const name = `${Math.round(100 * sparsity)} % pruned by ${method}`;
  return { name, weights: { kind: "prune", method, sparsity }, kind: `pruned by ${method}`, dose: sparsity };
}
