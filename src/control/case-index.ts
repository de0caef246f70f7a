/**
 * An index of solved cases: questions and answers of training items, their images as a frozen vision tower sees them, and
 * the expert each belongs to. One safetensors file: the vectors as a tensor, all else as JSON in its header. It holds what
 * the data hold, of patients too.
 */
import { existsSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import * as z from "zod";
import { normalisedTokens } from "../answers/normalise.ts";
import { textSimilarity } from "../answers/text-similarity.ts";
import { UserError } from "../core/errors.ts";
import { requireFinite } from "../io/finite.ts";
import { openSafetensors, writeSafetensors } from "../io/safetensors.ts";
import { type RouteOptions, type Vote, voteFor } from "./route.ts";

const caseSchema = z.object({
  id: z.string(),
  subject: z.string(),
  /** Null: the model's own weights. */
  expert: z.string().nullable(),
  /** With its options. */
  question: z.string(),
  answer: z.string(),
  /** Row of its image's vector. */
  image: z.int().min(0),
});

const indexSchema = z.object({
  /** Hash of the model whose tower made the vectors. */
  model_sha256: z.string(),
  /** Adapter folders by expert, from the index's folder. */
  experts: z.record(z.string(), z.string()),
  cases: z.array(caseSchema),
});

export type SolvedCase = z.infer<typeof caseSchema>;

export interface CaseIndex extends z.infer<typeof indexSchema> {
  /** [rows, width] */
  readonly vectors: readonly Float32Array[];
}

const METADATA = "viva_case_index";

/** Writes the file whole or not at all; folders of experts are stored from its own folder. */
export function writeCaseIndex(path: string, { vectors, ...index }: CaseIndex): void {
  const from = dirname(resolve(path));
  const stored = (folder: string) => relative(from, resolve(folder));
  const experts = Object.fromEntries(Object.entries(index.experts).map(([name, folder]) => [name, stored(folder)]));
  const width = vectors[0]?.length ?? 0;
  const data = new Float32Array(vectors.length * width);
  for (const [row, vector] of vectors.entries()) data.set(vector, row * width);
  writeSafetensors(path, [{ name: "images", shape: [vectors.length, width], data }], "F32", {
    [METADATA]: JSON.stringify({ ...index, experts }),
  });
}

/** Reads an index; folders of experts are made absolute. Throws UserError for a file that is none, RunError where a vector is not finite. */
export function readCaseIndex(path: string): CaseIndex {
  if (!existsSync(path))
    throw new UserError(`--route ${path}: there is no such file; viva index makes an index of cases`);
  const file = openSafetensors(path);
  try {
    const text = file.metadata[METADATA];
    if (text === undefined) throw new UserError(`${path} is no index of cases: viva index makes one`);
    const parsed = indexSchema.safeParse(JSON.parse(text));
    if (!parsed.success) throw new UserError(`${path}: the index is damaged: make it again with viva index`);
    const [rows = 0, width = 0] = file.info("images").shape;
    const all = requireFinite(file.readFloat32("images"), "images", path);
    const vectors = Array.from({ length: rows }, (_, row) => all.subarray(row * width, (row + 1) * width));
    const { experts, cases, model_sha256 } = parsed.data;
    const stray = cases.find(
      ({ image, expert }) => image >= rows || (expert !== null && experts[expert] === undefined),
    );
    if (stray !== undefined || cases.length === 0) {
      const what = stray === undefined ? "it holds no cases" : `case "${stray.id}" names an expert or image it lacks`;
      throw new UserError(`${path}: ${what}: make it again with viva index`);
    }
    const found = (folder: string) => resolve(dirname(path), folder);
    return {
      ...{ model_sha256, cases, vectors },
      experts: Object.fromEntries(Object.entries(experts).map(([name, folder]) => [name, found(folder)])),
    };
  } finally {
    file.close();
  }
}

export interface CaseQuery {
  /** With its options. */
  readonly question: string;
  readonly image: Float32Array;
  /** Whose cases may not be used; null where that is not known. */
  readonly subject: string | null;
}

export interface Route extends Vote {
  /** The likest cases, for the context. */
  readonly cases: readonly SolvedCase[];
}

/**
 * Routes by an index. Images are compared by the cosine of their vectors less the index's mean vector (ours: the tower's mean
 * outputs have most in common), texts by that of TF-IDF words.
 */
export function openRouter({ cases, vectors }: CaseIndex, o: RouteOptions): (query: CaseQuery) => Route {
  const mean = Float64Array.from(vectors[0]!, (_, i) => {
    return vectors.reduce((sum, vector) => sum + vector[i]!, 0) / vectors.length;
  });
  const rows = vectors.map((vector) => unitFrom(vector, mean));
  const texts = textSimilarity(cases.map(({ question }) => normalisedTokens(question)));
  const ids = cases.map(({ id }) => id);
  const experts = cases.map(({ expert }) => expert);
  return ({ question, image, subject }) => {
    if (image.length !== mean.length) {
      throw new Error(`internal: a vector of ${image.length} numbers in an index of ${mean.length}`);
    }
    const own = unitFrom(image, mean);
    const alike = rows.map((row) => row.reduce((sum, value, i) => sum + value * own[i]!, 0));
    const likenesses = {
      ...{ ids, experts, text: texts(normalisedTokens(question)) },
      image: cases.map((one) => alike[one.image]!),
    };
    const vote = voteFor(likenesses, o, (i) => subject === null || cases[i]!.subject !== subject);
    return { ...vote, cases: vote.nearest.slice(0, o.context).map((i) => cases[i]!) };
  };
}

/** Zeros for zeros, the vector of no image. */
function unitFrom(vector: Float32Array, mean: Float64Array): Float64Array {
  if (vector.every((value) => value === 0)) return new Float64Array(vector.length);
  const apart = Float64Array.from(vector, (value, i) => value - mean[i]!);
  const length = Math.hypot(...apart) || 1;
  return apart.map((value) => value / length);
}
