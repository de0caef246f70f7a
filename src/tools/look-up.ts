/**
 * look_up: passages of a folder of texts, ranked by BM25 (Robertson and Zaragoza 2009, k1 1.2, b 0.75). Only files of the
 * folder itself are read, once, when the environment is opened; links are not followed.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { UserError } from "../core/errors.ts";
import { defineTool, type Tool } from "./tool.ts";

const K1 = 1.2;
const B = 0.75;
const PASSAGE = 400;
const MOST_TERM = 200;
const MOST_BYTES = 20_000_000;

export interface Passages {
  /** The best passages for a term, best first; none where no word of it occurs. */
  find(term: string, count: number): readonly string[];
}

/** The tool over the texts (.md, .txt) of a folder. Throws UserError for a folder that cannot be read or has none. */
export function lookUp(folder: string): Tool {
  const passages = indexPassages(readTexts(folder).flatMap(paragraphs));
  return defineTool(
    { name: "look_up", description: "Looks a term up in the reference texts." },
    { term: z.string({ error: "a text" }).min(1).max(MOST_TERM) },
    async (_, { term }) => {
      const found = passages.find(term, 2);
      return { text: found.length === 0 ? "nothing found" : found.join("\n") };
    },
  );
}

/** Ties go to the passage that comes first. */
export function indexPassages(texts: readonly string[]): Passages {
  const documents = texts.map((text) => {
    const counts = new Map<string, number>();
    const words = wordsOf(text);
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
    return { text, counts, length: words.length };
  });
  const mean = documents.reduce((sum, { length }) => sum + length, 0) / Math.max(1, documents.length);
  const holding = new Map<string, number>();
  for (const { counts } of documents) for (const word of counts.keys()) holding.set(word, (holding.get(word) ?? 0) + 1);
  return {
    find(term, count) {
      const asked = [...new Set(wordsOf(term))].flatMap((word) => {
        const n = holding.get(word);
        return n === undefined ? [] : [{ word, idf: Math.log(1 + (documents.length - n + 0.5) / (n + 0.5)) }];
      });
      const scored = documents.flatMap(({ text, counts, length }) => {
        const score = asked.reduce((sum, { word, idf }) => {
          const f = counts.get(word) ?? 0;
          return sum + (idf * f * (K1 + 1)) / (f + K1 * (1 - B + (B * length) / mean));
        }, 0);
        return score > 0 ? [{ text, score }] : [];
      });
      return scored
        .sort((a, b) => b.score - a.score)
        .slice(0, count)
        .map(({ text }) => text);
    },
  };
}

function wordsOf(text: string): readonly string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** Paragraphs, cut to the length of an observation. */
function paragraphs(text: string): readonly string[] {
  return text
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.replace(/\s+/g, " ").trim().slice(0, PASSAGE))
    .filter((paragraph) => paragraph !== "");
}

function readTexts(folder: string): readonly string[] {
  let bytes = 0;
  const read = (at: string): readonly string[] =>
    readdirSync(at, { withFileTypes: true })
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => {
        const path = join(at, entry.name);
        if (entry.isDirectory()) return read(path);
        if (!entry.isFile() || !/\.(md|txt)$/i.test(entry.name)) return [];
        bytes += statSync(path).size;
        if (bytes > MOST_BYTES)
          throw new UserError(`look_up: ${folder} holds more than ${MOST_BYTES / 1e6} MB of text`);
        return [readFileSync(path, "utf8")];
      });
  let texts: readonly string[];
  try {
    texts = read(folder);
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(`look_up: the folder ${folder} cannot be read`, { cause });
  }
  if (texts.length === 0) throw new UserError(`look_up: ${folder} holds no texts (.md, .txt)`);
  return texts;
}
