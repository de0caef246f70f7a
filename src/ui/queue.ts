/**
 * Which completions an annotator is shown, and in which order: where rewards disagree, where a high reward has little
 * evidence, a fifth at random; a tenth a second time. It follows from the run and a seed, so that it is the same tomorrow.
 */
import { createHash } from "node:crypto";
import { permutation, randomKey, uniform } from "../core/random.ts";
import { textHash } from "./annotations.ts";
import type { Line } from "./lines.ts";
import type { RunView } from "./run-view.ts";

export type Reason = "disagreement" | "unsupported" | "random";

/** A completion to judge. Pages of blind annotation are told only what `shownItem` gives. */
export interface QueueItem {
  /** Says nothing of run, step or group. */
  readonly target: string;
  readonly row: string;
  readonly completion: number;
  readonly text: string;
  readonly repeat: boolean;
  readonly reason: Reason;
  readonly group: Line;
  /** Another completion of the group with another text; null where there is none. */
  readonly other: { readonly completion: number; readonly text: string } | null;
}

export interface QueueOptions {
  readonly seed: number;
  /** Without the repeats. */
  readonly most: number;
}

/** Of all completions. */
const RANDOM_SHARE = 0.2;
const REPEATED_SHARE = 0.1;

export function annotationQueue(run: RunView, { seed, most }: QueueOptions): readonly QueueItem[] {
  const found: QueueItem[] = [];
  for (const group of run.groups.records()) found.push(...candidates(group, seed));
  const order = permutation(randomKey(seed, "annotate"), found.length);
  const chosen = [...order].map((i) => found[i]!).slice(0, most);
  const every = Math.round(1 / REPEATED_SHARE);
  const again = chosen
    .filter((_, i) => i % every === 0 && chosen.length >= every)
    .map((item) => ({ ...item, repeat: true, target: targetOf(seed, item.row, item.completion, true) }));
  return [...chosen, ...again];
}

/** A completion as the page has it; done where this annotator judged it. */
export type ShownItem = ReturnType<typeof shownItem> & { readonly done: boolean };

/** What an annotator sees: no rewards, run or step, and no reason. */
export function shownItem({ target, text, group, other }: QueueItem) {
  const images = Array.isArray(group["images"]) ? group["images"] : [];
  return {
    target,
    text,
    text_sha256: textHash(text),
    other: other === null ? null : other.text,
    images: images.map((image) => String((image as Line)["sha256"])),
    question: String(group["question"] ?? ""),
    answer: String(group["answer"] ?? ""),
    choices: Array.isArray(group["choices"]) ? group["choices"].map(String) : [],
  };
}

function candidates(group: Line, seed: number): readonly QueueItem[] {
  const completions = (group["completions"] as readonly (Line | null)[]).map((one) => one ?? {});
  const texts = completions.map(({ text }) => String(text ?? ""));
  const row = String(group["id"]);
  return completions.flatMap((completion, i): QueueItem[] => {
    if (texts.indexOf(texts[i]!) < i) return [];
    const reason = reasonOf(completion, uniform(randomKey(seed, "random", row, i), 0));
    if (reason === null) return [];
    const other = texts.findIndex((text) => text !== texts[i]);
    return [
      {
        ...{ row, completion: i, text: texts[i]!, repeat: false, reason, group },
        target: targetOf(seed, row, i, false),
        other: other < 0 ? null : { completion: other, text: texts[other]! },
      },
    ];
  });
}

function reasonOf(completion: Line, draw: number): Reason | null {
  const rewards = Object.entries((completion["rewards"] ?? {}) as Line).filter(([name]) => name !== "format");
  const values = rewards.map(([, value]) => value).filter((value) => typeof value === "number");
  if (values.some((value) => value >= 0.5) && values.some((value) => value < 0.5)) return "disagreement";
  const evidence = Array.isArray(completion["evidence"]) ? (completion["evidence"] as readonly Line[]) : [];
  const supported = evidence.some(({ verdict, label }) => verdict === true && label !== "answer");
  if (evidence.length > 0 && !supported && values.length > 0 && values.every((value) => value >= 0.5))
    return "unsupported";
  return draw < RANDOM_SHARE ? "random" : null;
}

function targetOf(seed: number, row: string, completion: number, repeat: boolean): string {
  return createHash("sha256")
    .update(JSON.stringify([seed, row, completion, repeat]))
    .digest("hex")
    .slice(0, 16);
}
