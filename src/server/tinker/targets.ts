/**
 * Datums with several targets per token, [T, K] in place of [T], as losses over a distribution have them: K datums of one
 * target each to the engine, which computes the input once for each of them.
 */
import { UserError } from "../../core/errors.ts";
import type { Datum, ForwardBackwardOutput, WireTensor } from "../../tinker/index.ts";

type Output = ForwardBackwardOutput["outputs"][number];

/** Targets of one token, which bounds the passes that a datum can ask for. */
const MOST_TARGETS = 64;

/** A datum as the engine computes it. */
export interface Columns {
  /** K of targets [T, K]; null for [T]. */
  readonly width: number | null;
  /** One for each target of a token. */
  readonly datums: readonly Datum[];
}

/** `where` names the datum. Throws UserError for arrays of different widths. */
export function columnsOf(datum: Datum, where: string): Columns {
  const width = widthOf(datum.inputs["target_tokens"]);
  const count = width ?? 1;
  if (count > MOST_TARGETS) {
    throw new UserError(
      `${where}.loss_fn_inputs.target_tokens has ${width} targets per token, at most ${MOST_TARGETS}`,
    );
  }
  for (const [name, tensor] of Object.entries(datum.inputs)) {
    if ((widthOf(tensor) ?? 1) === count) continue;
    const shape = `[${tensor.shape.join(", ")}]`;
    throw new UserError(`${where}.loss_fn_inputs.${name} has shape ${shape}, target_tokens ${count} per token`);
  }
  const datums = Array.from({ length: count }, (_, k) => {
    const inputs = Object.entries(datum.inputs).map(([name, tensor]) => [name, column(tensor, k, count)] as const);
    return { ...datum, inputs: Object.fromEntries(inputs) };
  });
  return { width, datums };
}

/** The outputs of all columns as one output per datum, of arrays [T] or [T, K]. */
export function mergeColumns(outputs: readonly Output[], widths: readonly (number | null)[]): readonly Output[] {
  let next = 0;
  return widths.map((width) => {
    const own = outputs.slice(next, next + (width ?? 1));
    next += own.length;
    const names = Object.keys(own[0]!);
    return Object.fromEntries(names.map((name) => [name, interleaved(own.map((output) => output[name]!))]));
  });
}

function interleaved(columns: readonly Float32Array[]): Float32Array {
  const merged = new Float32Array(columns[0]!.length * columns.length);
  for (const [k, values] of columns.entries()) {
    for (const [t, value] of values.entries()) merged[t * columns.length + k] = value;
  }
  return merged;
}

/** Values per token of [T, K]; null of [T]. */
function widthOf(tensor: WireTensor | undefined): number | null {
  return tensor === undefined || tensor.shape.length < 2 ? null : tensor.shape.at(-1)!;
}

function column({ data }: WireTensor, k: number, count: number): WireTensor {
  const own = data.filter((_, i) => i % count === k);
  return { shape: [own.length], data: own };
}
