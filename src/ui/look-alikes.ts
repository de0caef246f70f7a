/** Images that training was asked about and evaluation too: the same file, or the same to look at; and what they do to the score. */
import { HTTPException } from "hono/http-exception";
import { UserError } from "../core/errors.ts";
import { questionWords } from "../core/question-words.ts";
import type { ImageRef } from "../core/records.ts";
import { bootstrapMean, RESAMPLES } from "../evaluate/bootstrap.ts";
import { hashDistance, type PerceptualHash, perceptualHash, SAME_LOOKS } from "../io/perceptual-hash.ts";
import type { Interval } from "../runs/statistics-records.ts";
import { imageId } from "./images.ts";
import type { Line } from "./lines.ts";
import type { RunView } from "./run-view.ts";

export interface LookAlikes {
  /** Images that were compared, of training and of the last evaluation, and those that could not be read. */
  readonly seen: number;
  readonly judged: number;
  readonly unread: number;
  /** The most alike first; `distance` in bits of 256. */
  readonly pairs: readonly {
    readonly seen: string;
    readonly judged: string;
    readonly names: readonly [string, string];
    readonly distance: number;
    /** Evaluated questions about the image, and those of them that training asked word for word about the other. */
    readonly questions: number;
    readonly same: number;
  }[];
  /** Strict accuracy on all questions of the last evaluation, and on those about none of these images. */
  readonly all: Interval | null;
  readonly without: Interval | null;
}

/** Of each side; more would keep the reader waiting. */
const MOST_IMAGES = 1500;

export async function lookAlikes(run: RunView, imageOf: (id: string) => Promise<ImageRef>): Promise<LookAlikes> {
  const last = run.evaluations.at(-1);
  const items = last === undefined ? [] : run.items(last);
  const judgedIds = [...new Set(items.flatMap(idsOf))].slice(0, MOST_IMAGES);
  const seenIds = [...run.groups.images.keys()].slice(0, MOST_IMAGES);
  const hashes = new Map<string, PerceptualHash>();
  for (const id of judgedIds.length === 0 ? [] : [...seenIds, ...judgedIds]) {
    const hash = await imageOf(id).then(perceptualHash).catch(unlessOurs);
    if (hash !== null) hashes.set(id, hash);
  }
  const asked = new Map<string, Set<string>>();
  for (const group of run.groups.records()) {
    for (const { sha256 } of (group["images"] ?? []) as readonly Line[]) {
      asked.set(String(sha256), (asked.get(String(sha256)) ?? new Set()).add(wordsOf(group)));
    }
  }
  const nameOf = (id: string) => run.image(id)?.path ?? id;
  const pairs = judgedIds.flatMap((judged) => {
    const hash = hashes.get(judged);
    const near = seenIds.flatMap((seen) => {
      const other = hashes.get(seen);
      const distance = nameOf(seen) === nameOf(judged) ? 0 : !hash || !other ? 256 : hashDistance(hash, other);
      return distance <= SAME_LOOKS ? [{ seen, distance }] : [];
    });
    const about = items.filter((item) => idsOf(item).includes(judged));
    return near.map(({ seen, distance }) => ({
      ...{ seen, judged, distance, names: [nameOf(seen), nameOf(judged)] as const },
      questions: about.length,
      same: about.filter((item) => asked.get(seen)?.has(wordsOf(item))).length,
    }));
  });
  const leaking = new Set(pairs.map(({ judged }) => judged));
  const accuracy = (rows: readonly Line[]) => {
    const scores = rows.map(({ strict }) => Number(strict));
    const subjects = rows.map(({ subject_id }) => String(subject_id));
    return rows.length === 0 ? null : bootstrapMean(scores, subjects, { resamples: RESAMPLES.report });
  };
  return {
    ...{ seen: seenIds.length, judged: judgedIds.length },
    unread: judgedIds.length === 0 ? 0 : seenIds.length + judgedIds.length - hashes.size,
    pairs: pairs.sort((a, b) => a.distance - b.distance),
    all: accuracy(items),
    without: accuracy(items.filter((item) => !idsOf(item).some((id) => leaking.has(id)))),
  };
}

function idsOf({ images }: Line): readonly string[] {
  return Array.isArray(images) ? images.map((path) => imageId(String(path))) : [];
}

function wordsOf({ question }: Line): string {
  return questionWords(String(question));
}

/** An image that cannot be shown cannot be compared either. */
function unlessOurs(error: unknown): null {
  if (error instanceof UserError || error instanceof HTTPException) return null;
  throw error;
}
