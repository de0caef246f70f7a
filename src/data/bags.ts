/**
 * Bags of feature vectors with a number each: bags.jsonl names for every bag a safetensors file with "features" [vectors,
 * width] and, if known, "coords" [vectors, 2], so that a slide of any size is read as what a foundation model made of it.
 */
import { join } from "node:path";
import * as z from "zod";
import { UserError } from "../core/errors.ts";
import { requireFinite } from "../io/finite.ts";
import { readJsonLines } from "../io/json-lines.ts";
import { openSafetensors, writeSafetensors } from "../io/safetensors.ts";
import { readRow } from "./rows.ts";

export const BAGS_FILE = "bags.jsonl";

export interface Bag {
  readonly id: string;
  /** The patient, or the slide where the patient is unknown. */
  readonly subjectId: string;
  readonly split: string;
  /** For a model that is asked in words. */
  readonly question: string;
  readonly target: number;
  /** [vectors x width] */
  readonly features: Float32Array;
  readonly vectors: number;
  readonly width: number;
}

const rowSchema = z.object({
  id: z.string().min(1),
  subject_id: z.string().min(1).optional(),
  split: z.string().default("train"),
  question: z.string().min(1).default("What is the number of this slide?"),
  target: z.number(),
  file: z.string().min(1),
});

/** Reads all bags; throws UserError naming row or file where something is missing, of another width or no number. */
export function readBags(folder: string): readonly Bag[] {
  const path = join(folder, BAGS_FILE);
  const bags: Bag[] = [];
  const splits = new Map<string, string>();
  for (const { value, where } of readJsonLines(path, "bags")) {
    const row = readRow(rowSchema, value, where);
    const bag = readBag(join(folder, row.file), { ...row, subjectId: row.subject_id ?? row.id });
    const other = bags[0] ?? bag;
    if (bag.width !== other.width) {
      throw new UserError(`${where}: features of ${bag.width} numbers, those of "${other.id}" have ${other.width}`);
    }
    const seen = splits.get(bag.subjectId) ?? bag.split;
    if (seen !== bag.split) {
      throw new UserError(`${where}: subject "${bag.subjectId}" is in the splits ${seen} and ${bag.split}`);
    }
    splits.set(bag.subjectId, bag.split);
    bags.push(bag);
  }
  if (bags.length === 0) throw new UserError(`${path} has no bags`);
  return bags;
}

function readBag(path: string, row: Omit<Bag, "features" | "vectors" | "width">): Bag {
  const file = openSafetensors(path);
  try {
    const { shape } = file.info("features");
    const [vectors, width] = shape;
    if (shape.length !== 2 || vectors === 0) throw new UserError(`${path}: "features" must be [vectors, width]`);
    const features = requireFinite(file.readFloat32("features"), "features", path);
    const { id, subjectId, split, question, target } = row;
    return { id, subjectId, split, question, target, features, vectors: vectors!, width: width! };
  } finally {
    file.close();
  }
}

/** Writes a bag's features with the places they were cut from. */
export function writeBag(
  path: string,
  features: readonly Float32Array[],
  coords: readonly (readonly [number, number])[],
): void {
  const width = features[0]!.length;
  const data = new Float32Array(features.length * width);
  for (const [i, row] of features.entries()) data.set(row, i * width);
  writeSafetensors(path, [
    { name: "features", shape: [features.length, width], data },
    { name: "coords", shape: [coords.length, 2], data: Float32Array.from(coords.flat()) },
  ]);
}
