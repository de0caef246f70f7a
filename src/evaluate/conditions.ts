/** Conditions that two evaluations must share to be comparable: questions, prompt, decoding and images. */
import { createHash, type Hash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { PromptStyle } from "../answers/prompts.ts";
import { imageFile } from "../core/image-names.ts";
import type { Example } from "../core/records.ts";

/** How answers were decoded. */
export interface Decoding {
  readonly num_generations: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly top_p: number;
  readonly top_k: number;
  /** Null for greedy decoding. */
  readonly seed: number | null;
  readonly max_completion_length: number;
}

export interface ImageConditions {
  /** Hash of the content of all images, in the questions' order. */
  readonly sha256: string;
  /** Requested image size limits; null for the model's own. */
  readonly min_pixels: number | null;
  readonly max_pixels: number | null;
  /** Image tokens of all prompts together; null if a server does not report them. */
  readonly tokens: number | null;
}

/** Solved training examples before each question. */
export interface ShotConditions {
  readonly count: number;
  readonly balanced: boolean;
  readonly seed: number;
}

/** Null if unknown, e.g. for answers generated elsewhere. */
export interface Conditions {
  readonly questions: {
    readonly n: number;
    /** Hash of ids, questions, options and answers, in order. */
    readonly sha256: string;
  };
  readonly prompt: (PromptStyle & { readonly shots?: ShotConditions }) | null;
  readonly decoding: Decoding | null;
  readonly images: ImageConditions | null;
}

/**
 * The decoding of one greedy answer, or of several sampled ones; parameters without effect have their neutral value.
 */
export function decodingOf(o: {
  readonly numGenerations?: number | undefined;
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  readonly topK?: number | undefined;
  readonly seed?: number | undefined;
  readonly maxCompletionLength: number;
}): Decoding {
  const { numGenerations = 1, maxCompletionLength } = o;
  const temperature = o.temperature ?? (numGenerations > 1 ? 1 : 0);
  const greedy = temperature === 0;
  return {
    num_generations: numGenerations,
    temperature,
    top_p: greedy ? 1 : (o.topP ?? 1),
    top_k: greedy ? 0 : (o.topK ?? 0),
    seed: greedy ? null : (o.seed ?? 42),
    max_completion_length: maxCompletionLength,
  };
}

/** SHA-256 of questions and references. */
export function hashQuestions(examples: readonly Example[]): string {
  const hash = createHash("sha256");
  for (const { id, subjectId, question, choices, answer, answerType, before } of examples) {
    const told = before === undefined ? [] : [before];
    hash.update(`${JSON.stringify([id, subjectId, question, choices, answer, answerType, ...told])}\n`);
  }
  return hash.digest("hex");
}

/** SHA-256 of the images' content, independent of file locations. */
export async function hashImages(examples: readonly Example[]): Promise<string> {
  const known = new Map<string, string>();
  const hash = createHash("sha256");
  for (const { images } of examples) {
    for (const { path, pixels, range, window } of images) {
      const { file, frame } = imageFile(path);
      const content = known.get(path) ?? digest(createHash("sha256"), pixels?.data ?? (await readFile(file)));
      known.set(path, content);
      hash.update(content);
      if (range !== undefined) hash.update(range.join(" "));
      if (frame !== null) hash.update(`frame ${frame}`);
      if (window !== undefined) hash.update(`window ${window.center} ${window.width}`);
    }
    hash.update("\n");
  }
  return hash.digest("hex");
}

function digest(hash: Hash, bytes: Uint8Array): string {
  return hash.update(bytes).digest("hex");
}

export const CONDITIONS = ["questions", "prompt", "decoding", "images"] as const;
export type ConditionName = (typeof CONDITIONS)[number];

export interface ConditionDifference {
  readonly condition: ConditionName;
  /** The difference, e.g. "max_completion_length 64 against 256". */
  readonly what: string;
}

/**
 * The differences between two evaluations. A condition known for only one of them counts as a difference; one known for
 * neither does not.
 */
export function conditionDifferences(a: Conditions, b: Conditions): readonly ConditionDifference[] {
  return CONDITIONS.flatMap((condition) => {
    const [left, right] = [a[condition], b[condition]] as const;
    if (left === null || right === null) {
      return left === right ? [] : [{ condition, what: `known for only one` }];
    }
    const [one, other] = [fields(left), fields(right)];
    const names = [...new Set([...Object.keys(one), ...Object.keys(other)])];
    const parts = names.flatMap((name) => {
      const [x, y] = [JSON.stringify(one[name] ?? null), JSON.stringify(other[name] ?? null)];
      return x === y ? [] : [name === "sha256" ? "other content" : `${name} ${brief(x)} against ${brief(y)}`];
    });
    return parts.length === 0 ? [] : [{ condition, what: parts.join(", ") }];
  });
}

function fields(condition: object): Readonly<Record<string, unknown>> {
  return condition as Readonly<Record<string, unknown>>;
}

function brief(json: string): string {
  return json.length > 60 ? `${json.slice(0, 57)}…` : json;
}
