/**
 * What deployment breaks (Model Hemorrhage, arXiv 2503.23924): the checkpoint with rounded and pruned matrices and decoded
 * otherwise, by flips and not by accuracy alone, which may stay while answers change both ways (arXiv 2407.09141).
 */
import type { Interval } from "../bootstrap.ts";
import { factScore } from "../facts.ts";
import type { Asked } from "./asked.ts";
import { accuracyChange, keyOf, type Measure, mean, type Pair, pairsOf, share, valuesOf } from "./measure.ts";
import type { Probe, ProbeContext, Variant, WeightChange } from "./probe.ts";

/** Doses of each kind of change, rising. */
const PRUNED = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8] as const;

interface Dosed extends Variant {
  /** What rises over the kind's variants, for the bleeding point; null where there is no order. */
  readonly kind: string | null;
  readonly dose: number;
}

const variants: readonly Dosed[] = [
  ...([8, 4] as const).map((bits) => weightsVariant(`int${bits} weights`, { kind: "quantize", bits })),
  ...PRUNED.map((sparsity) => pruned("magnitude", sparsity)),
  ...PRUNED.map((sparsity) => pruned("random", sparsity)),
  ...[0.7, 1].map((temperature, i): Dosed => {
    return { name: `temperature ${temperature}`, temperature, draw: i + 2, kind: null, dose: temperature };
  }),
];

/** Below this change of accuracy the interval must lie for a dose to bleed (ours). */
const BLEEDS = -0.01;

export const hemorrhage: Probe = {
  title: "rounded and pruned weights and sampled answers against the checkpoint as it is",
  about: "bias",
  onlyNamed: true,
  plan: (context) => ({
    variants,
    measure: (answers) => {
      const changes = answers.map((asked) => pairsOf(context.plain, asked));
      return [
        ...changes.flatMap((pairs, v) => measuresOf(context, pairs, variants[v]!.name)),
        ...bleedingPoints(changes.map((pairs) => accuracyChange(pairs, null).interval)),
      ];
    },
  }),
};

function measuresOf(context: ProbeContext, pairs: readonly Pair[], condition: string): readonly Measure[] {
  const changed = ({ item, before }: Pair, from: 0 | 1) =>
    item.strict !== before.item.strict && before.item.strict === from;
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
    share("flip_rate", pairs, (pair) => keyOf(pair) !== keyOf(pair.before), condition),
    share("bad_flips", pairs, (pair) => changed(pair, 1), condition),
    share("good_flips", pairs, (pair) => changed(pair, 0), condition),
    ...(claims.interval === null ? [] : [claims]),
    difference("length_change", ({ item }) => item.tokens ?? null, "number"),
    difference("parse_failure_change", ({ item }) => (item.parse_failure ? 1 : 0), "difference"),
  ];
}

function precisionOf({ examples, style, vocabulary }: ProbeContext, { index, item }: Asked): number | null {
  return style === "answer_only"
    ? null
    : (factScore(examples[index]!, item.prediction, { style, vocabulary })?.precision ?? null);
}

/** The smallest dose of a kind whose interval of the change in accuracy lies below -1 point; none: no interval. */
function bleedingPoints(changes: readonly (Interval | null)[]): readonly Measure[] {
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

function weightsVariant(name: string, weights: WeightChange): Dosed {
  return { name, weights, kind: null, dose: 0 };
}

function pruned(method: "magnitude" | "random", sparsity: number): Dosed {
  const name = `${Math.round(100 * sparsity)} % pruned by ${method}`;
  return { name, weights: { kind: "prune", method, sparsity }, kind: `pruned by ${method}`, dose: sparsity };
}
