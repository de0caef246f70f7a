/**
 * Saves answers as they arrive, so that an interrupted evaluation can resume: a JSONL file with a header, then one row
 * per answer.
 */
import { existsSync, rmSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { UserError } from "../core/errors.ts";
import type { ThoughtEnd } from "../core/records.ts";
import { openJsonl, readJsonl } from "../runs/jsonl.ts";
import { acquireLock } from "../runs/lock.ts";
import type { TurnRecord } from "../tools/turn-records.ts";
import type { Prediction } from "./answers.ts";

/** Everything the answers depend on: the model (by content), the questions, the prompt, the decoding, the images. */
export type PartialHeader = Readonly<Record<string, unknown>>;

/** A file of answers, locked by one process until it is closed. */
export interface PartialAnswers {
  readonly path: string;
  /** Existing answers, by example, then by number. */
  readonly known: ReadonlyMap<string, ReadonlyMap<number, Prediction>>;
  append(exampleId: string, generation: number, prediction: Prediction): void;
  close(): void;
  /** Closes the file if it is open, and deletes it, once its answers are saved elsewhere. */
  remove(): void;
}

interface AnswerLine {
  readonly kind: "answer";
  readonly example_id: string;
  readonly generation: number;
  readonly text: string;
  readonly turns?: readonly TurnRecord[];
  readonly tokens?: number;
  readonly finish_reason?: "stop" | "length";
  readonly image_tokens?: number;
  readonly thought?: ThoughtEnd;
  readonly expert?: string | null;
}

/**
 * Opens or creates the file. Throws UserError if it has answers of another evaluation, naming what differs, or if
 * another process is writing it. A truncated last row is dropped.
 */
export function openPartial(path: string, asked: PartialHeader): PartialAnswers {
  const lock = acquireLock(`${path}.lock`);
  try {
    const lines = existsSync(path) ? readJsonl(path) : [];
    const [first, ...answers] = lines;
    const isNew = answers.length === 0; // a file without answers can be overwritten
    if (isNew) rmSync(path, { force: true });
    else checkSame(path, first!, asked);
    const stream = openJsonl(path);
    if (isNew) stream.append({ kind: "asked", asked });
    const known = new Map<string, Map<number, Prediction>>();
    for (const line of answers as unknown as readonly AnswerLine[]) {
      const ofExample = known.get(line.example_id) ?? new Map<number, Prediction>();
      known.set(line.example_id, ofExample.set(line.generation, predictionOf(line)));
    }
    const close = () => {
      stream.close();
      lock.release();
    };
    return {
      path,
      known,
      append(example_id, generation, { text, turns, tokens, finishReason, imageTokens, thought, expert }) {
        stream.append({
          ...{ kind: "answer", example_id, generation, text },
          ...{ turns, tokens, finish_reason: finishReason, image_tokens: imageTokens, thought, expert },
        } satisfies { [Key in keyof AnswerLine]: AnswerLine[Key] | undefined });
      },
      close,
      remove() {
        close();
        rmSync(path, { force: true });
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function checkSame(path: string, first: Readonly<Record<string, unknown>>, asked: PartialHeader): void {
  const remedy = "delete it to start over, or choose another --out";
  const before = first["asked"];
  if (first["kind"] !== "asked" || typeof before !== "object" || before === null) {
    throw new UserError(`${path}: not the file of an interrupted evaluation: ${remedy}`);
  }
  const now = JSON.parse(JSON.stringify(asked)) as Record<string, unknown>;
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  const different = names.filter((name) => !isDeepStrictEqual((before as Record<string, unknown>)[name], now[name]));
  if (different.length === 0) return;
  throw new UserError(
    `${path} holds the answers of an interrupted evaluation with another ${different.join(", ")}: repeat that command to resume it; ${remedy}`,
  );
}

function predictionOf({ text, turns, tokens, finish_reason, image_tokens, thought, expert }: AnswerLine): Prediction {
  return {
    text,
    ...(turns === undefined ? {} : { turns }),
    ...(tokens === undefined ? {} : { tokens }),
    ...(finish_reason === undefined ? {} : { finishReason: finish_reason }),
    ...(image_tokens === undefined ? {} : { imageTokens: image_tokens }),
    ...(thought === undefined ? {} : { thought }),
    ...(expert === undefined ? {} : { expert }),
  };
}
