/** A part of a list, as a query's `limit` and `offset` name it. */
import * as z from "zod";
import { problemOf } from "../../core/issues.ts";
import { ApiError } from "../api-error.ts";

const query = z.object({
  limit: z.coerce.number().int().min(0).default(100),
  offset: z.coerce.number().int().min(0).default(0),
});

export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor: { readonly offset: number; readonly limit: number; readonly total_count: number };
}

/** Throws ApiError (422) for numbers that are none. */
export function pageOf<T>(all: readonly T[], asked: Readonly<Record<string, string>>): Page<T> {
  const parsed = query.safeParse(asked);
  if (!parsed.success) {
    const { path, message } = problemOf(parsed.error.issues[0]!);
    throw new ApiError(422, `${path.join(".")}: ${message}`, { code: "invalid_value" });
  }
  const { limit, offset } = parsed.data;
  return { items: all.slice(offset, offset + limit), cursor: { offset, limit, total_count: all.length } };
}
