/** How a trainer asks for rewards: its request to rows, and scored rows to the answer it expects. */
import type { Evidence, ImageRef } from "../../core/records.ts";
import { ApiError, badRequest } from "../api-error.ts";

/** A completion with what it is judged by, as columns; images are in the row, never looked up. */
export interface AskedRow {
  readonly columns: Readonly<Record<string, unknown>>;
  readonly images: readonly ImageRef[];
}

export interface Asked {
  readonly rows: readonly AskedRow[];
  /** The trainer's step, from 0, where it says. */
  readonly step: number | null;
}

export interface ScoredRow {
  readonly reward: number | null;
  readonly components: Readonly<Record<string, number | null>>;
  readonly evidence: readonly Evidence[];
}

export interface Scored {
  readonly rows: readonly ScoredRow[];
  readonly counts: Readonly<Record<string, number>>;
}

/** One way of asking: a path that takes POST. */
export interface RewardDialect {
  readonly path: string;
  /** Throws ApiError (400) that names the field. */
  read(body: unknown): Asked;
  /** Throws ApiError (422) where the trainer needs a number and a completion has none. */
  answer(body: unknown, scored: Scored): object;
}

/** A JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** The value as an object; throws ApiError (400). */
export function objectAt(value: unknown, param: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw badRequest(param, `${param} must be an object`);
}

/** The value as a list; throws ApiError (400). */
export function listAt(value: unknown, param: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw badRequest(param, `${param} must be a list`);
}

/** The reward of a row for a trainer that takes numbers alone. */
export function numberOf({ reward }: ScoredRow, i: number): number {
  if (reward !== null) return reward;
  const message = `rows[${i}]: no reward applies to this completion, so it has none, and 0 would be a verdict`;
  throw new ApiError(422, message, { param: `rows[${i}]`, code: "no_reward" });
}

/** The components that are numbers. */
export function knownComponents({ components }: ScoredRow): Readonly<Record<string, number>> {
  const known = Object.entries(components).filter(([, value]) => value !== null);
  return Object.fromEntries(known) as Record<string, number>;
}
