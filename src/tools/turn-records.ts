/** Turns of completions with tools as they stand in rollouts.jsonl and evals.jsonl. */
import type { CompletionTurn, ImageFeatures } from "../core/records.ts";

export interface TurnRecord {
  readonly text: string;
  /** Null where the turn has none, or none that can be read. */
  readonly call: { readonly name: string; readonly arguments: Readonly<Record<string, unknown>> } | null;
  /** Null where the completion ends with this turn. */
  readonly observation: {
    readonly text: string;
    readonly is_error: boolean;
    readonly image: {
      readonly path: string;
      readonly sha256: string;
      readonly width: number;
      readonly height: number;
    } | null;
  } | null;
}

/** `images`: what the observations showed, in order. */
export function turnRecords(turns: readonly CompletionTurn[], images: readonly ImageFeatures[]): readonly TurnRecord[] {
  let shown = 0;
  return turns.map(({ text, call, observation }) => {
    if (observation === null) return { text, call, observation };
    const seen = observation.image === undefined ? null : images[shown++]!;
    const image =
      seen === null
        ? null
        : { path: observation.image!.path, sha256: seen.sha256, width: seen.width, height: seen.height };
    return { text, call, observation: { text: observation.text, is_error: observation.isError, image } };
  });
}
