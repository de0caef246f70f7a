/** Times a program's runs in one session; shared by speed measurements. */
import type { Params, Program } from "../../compiler/tensor.ts";
import type { TensorData } from "../../core/tensor-data.ts";
import { CompiledProgram, type SessionOptions } from "../../runtime/session.ts";

export interface TimingOptions extends SessionOptions {
  readonly runs: number;
  /** Milliseconds after which no further run starts. */
  readonly limit?: number;
}

/** Median and quartiles of repeated measurements. */
export interface Spread {
  readonly median: number;
  /** First and third quartile. */
  readonly low: number;
  readonly high: number;
  readonly best: number;
}

/** Milliseconds of each run, at least one, after a warm-up run. */
export async function timeProgram(
  program: Program,
  feeds: Params<TensorData>,
  { runs, limit = Number.POSITIVE_INFINITY, ...o }: TimingOptions,
): Promise<readonly number[]> {
  const session = await CompiledProgram.compile(program, o);
  try {
    await session.run(feeds);
    const times: number[] = [];
    const begin = performance.now();
    while (times.length === 0 || (times.length < runs && performance.now() - begin < limit)) {
      const start = performance.now();
      await session.run(feeds);
      times.push(performance.now() - start);
    }
    return times;
  } finally {
    await session.release();
  }
}

/** Converts times in milliseconds to speeds, in 10⁹ operations or bytes per second. */
export function speeds(times: readonly number[], amount: number): Spread {
  const sorted = times.map((time) => amount / time / 1e6).sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.round(part * (sorted.length - 1))]!;
  return { low: at(0.25), median: at(0.5), high: at(0.75), best: at(1) };
}
