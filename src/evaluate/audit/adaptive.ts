/**
 * Which questions to ask next, to find failures (FACT-AUDIT, arXiv 2502.17924, looks where a model fails; the proposal over
 * cells and its weights are ours). Every draw keeps its full probability, so that rates stay unbiased.
 */
import { randomKey, uniform } from "../../core/random.ts";
import { wilson } from "../statistics.ts";

/** The attributes of a question of the pool, such as modality and side. */
export type Attributes = Readonly<Record<string, string>>;

export interface AdaptiveOptions {
  readonly seed: number;
  /** Queries planned; the first `uniformFirst` share of them is drawn uniformly. */
  readonly queries: number;
  /** Default 0.25. */
  readonly uniformFirst?: number;
  /** Share of uniform draws after that; default 0.3. */
  readonly mix?: number;
  /** Exponent of a cell's estimated failure rate; default 2. */
  readonly power?: number;
}

export interface Draw {
  /** Of the question in the pool. */
  readonly index: number;
  /** Its probability under uniform draws over the one it was drawn with. */
  readonly weight: number;
}

/** A pair of attribute values with what was found there. */
export interface CellFinding {
  readonly attributes: Attributes;
  readonly queries: number;
  readonly failures: number;
  /** Weighted failure rate, and its lower Wilson bound at the effective number of queries. */
  readonly rate: number;
  readonly low: number;
}

export interface Asked extends Draw {
  readonly failed: boolean;
}

interface Cell {
  readonly attributes: Attributes;
  readonly members: readonly number[];
}

/** Strength of the prior that draws a cell's rate to the mean. */
const PRIOR = 4;

/** Draws questions from a pool, more of them where others failed. */
export function adaptiveDraws(pool: readonly Attributes[], o: AdaptiveOptions) {
  const { seed, queries, uniformFirst = 0.25, mix = 0.3, power = 2 } = o;
  const cells = cellsOf(pool);
  const cellsOfQuestion = pool.map((): number[] => []);
  for (const [c, { members }] of cells.entries()) for (const i of members) cellsOfQuestion[i]!.push(c);
  const [asked, failed] = [new Float64Array(cells.length), new Float64Array(cells.length)];
  let [total, failures, drawn] = [0, 0, 0];

  /** The probability of each cell, of the draws that are not uniform. */
  const cellChances = (): Float64Array => {
    const mean = (failures + 1) / (total + 10);
    const scores = Float64Array.from(cells, (_, c) => {
      const rate = (failed[c]! + PRIOR * mean) / (asked[c]! + PRIOR);
      return rate ** power / Math.sqrt(asked[c]! + 1);
    });
    const sum = scores.reduce((a, b) => a + b, 0);
    return scores.map((score) => score / sum);
  };

  return {
    /** The next draws, all by what has been recorded so far. */
    next(count: number): readonly Draw[] {
      const chances = cellChances();
      return Array.from({ length: count }, () => {
        const key = randomKey(seed, "audit", drawn);
        const onlyUniform = drawn < uniformFirst * queries || cells.length === 0;
        drawn++;
        const share = onlyUniform ? 1 : mix;
        const isUniform = uniform(key, 0) < share;
        const index = isUniform
          ? Math.floor(uniform(key, 1) * pool.length)
          : memberOf(cells[chosen(chances, uniform(key, 1))]!, uniform(key, 2));
        const chanceByCells = cellsOfQuestion[index]!.reduce(
          (sum, c) => sum + chances[c]! / cells[c]!.members.length,
          0,
        );
        const density = share / pool.length + (1 - share) * chanceByCells;
        return { index, weight: 1 / pool.length / density };
      });
    },
    /** Tells whether the question failed. */
    record(index: number, isFailure: boolean): void {
      total++;
      if (isFailure) failures++;
      for (const c of cellsOfQuestion[index]!) {
        asked[c]! += 1;
        if (isFailure) failed[c]! += 1;
      }
    },
  };
}

/** The failure rate of uniform draws, without bias: the mean of weight x failure. */
export function unbiasedRate(asked: readonly Pick<Asked, "weight" | "failed">[]): number {
  return asked.reduce((sum, { weight, failed }) => sum + (failed ? weight : 0), 0) / asked.length;
}

/**
 * Pairs of attribute values by the lower bound of their weighted failure rate, the weakest first. A heavily drawn cell counts
 * for no more than its share: n is the effective one, (sum w)² / sum w².
 */
export function weakestCells(pool: readonly Attributes[], asked: readonly Asked[], fewest = 5): readonly CellFinding[] {
  const ofQuestion = new Map<number, Asked[]>();
  for (const one of asked) ofQuestion.set(one.index, [...(ofQuestion.get(one.index) ?? []), one]);
  const found = cellsOf(pool).flatMap(({ attributes, members }): CellFinding[] => {
    const own = members.flatMap((i) => ofQuestion.get(i) ?? []);
    if (own.length < fewest) return [];
    const sum = own.reduce((total, { weight }) => total + weight, 0);
    const squares = own.reduce((total, { weight }) => total + weight ** 2, 0);
    const rate = own.reduce((total, { weight, failed }) => total + (failed ? weight : 0), 0) / sum;
    const effective = sum ** 2 / squares;
    const failures = own.filter(({ failed }) => failed).length;
    return [{ attributes, queries: own.length, failures, rate, low: wilson(rate * effective, effective)[0] }];
  });
  return found.sort((a, b) => b.low - a.low);
}

/** All pairs of values of two attributes that occur together in the pool. */
function cellsOf(pool: readonly Attributes[]): readonly Cell[] {
  const names = [...new Set(pool.flatMap((attributes) => Object.keys(attributes)))].sort();
  const cells = new Map<string, { readonly attributes: Attributes; readonly members: number[] }>();
  for (const [i, attributes] of pool.entries()) {
    for (const [a, first] of names.entries()) {
      for (const second of names.slice(a + 1)) {
        const [one, two] = [attributes[first], attributes[second]];
        if (one === undefined || two === undefined) continue;
        const key = JSON.stringify([first, one, second, two]);
        const cell = cells.get(key) ?? { attributes: { [first]: one, [second]: two }, members: [] };
        cell.members.push(i);
        cells.set(key, cell);
      }
    }
  }
  return [...cells.values()];
}

function chosen(chances: Float64Array, at: number): number {
  let sum = 0;
  for (const [c, chance] of chances.entries()) {
    sum += chance;
    if (at < sum) return c;
  }
  return chances.length - 1;
}

function memberOf({ members }: Cell, at: number): number {
  return members[Math.floor(at * members.length)]!;
}
