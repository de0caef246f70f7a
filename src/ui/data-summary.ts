/** The data of a run as its record shows it: what was asked how often, how answers are spread, what evaluation shares with training. */
import { basename } from "node:path";
import type { Line } from "./lines.ts";
import type { RunView } from "./run-view.ts";

export interface DataSummary {
  readonly groups: number;
  readonly examples: number;
  readonly subjects: number;
  readonly images: readonly {
    readonly sha256: string;
    readonly name: string;
    readonly subject: string;
    readonly width: number;
    readonly height: number;
  }[];
  /** Distinct images, of which `images` has the first. */
  readonly imageCount: number;
  /** Sizes by how many images have them. */
  readonly sizes: readonly { readonly size: string; readonly count: number }[];
  /** The most frequent answers of each question type, over distinct examples. */
  readonly priors: readonly {
    readonly type: string;
    readonly n: number;
    readonly answers: readonly { readonly answer: string; readonly count: number }[];
  }[];
  /** Null where the run was not evaluated. */
  readonly shared: {
    readonly subjects: number;
    readonly questions: number;
    readonly of: number;
    readonly first: readonly string[];
  } | null;
  /** Events about the data: preflight, overlap, changes, examples left out. */
  readonly events: readonly Line[];
  /** The last evaluation's overlap, with the accuracy on the questions that share nothing. */
  readonly overlap: unknown;
}

const MOST_IMAGES = 400;
const MOST_ANSWERS = 8;
const dataEvents = ["preflight", "overlap", "data_changed", "example_skipped"];

export function dataSummary(run: RunView): DataSummary {
  const examples = new Map<string, { readonly type: string; readonly answer: string }>();
  const subjects = new Set<string>();
  for (const group of run.groups.records()) {
    const meta = (group["meta"] ?? {}) as Line;
    const type = String(meta["question_type"] ?? meta["content_type"] ?? group["answer_type"] ?? "");
    examples.set(String(group["example_id"]), { type, answer: String(group["answer"]) });
    subjects.add(String(group["subject_id"] ?? ""));
  }
  subjects.delete("");
  const images = [...run.groups.images];
  const last = run.evaluations.at(-1);
  const items = last === undefined ? [] : run.items(last);
  const shared = items.filter(({ subject_id }) => subjects.has(String(subject_id)));
  const sharedSubjects = [...new Set(shared.map(({ subject_id }) => String(subject_id)))];
  return {
    groups: run.groups.count,
    examples: examples.size,
    subjects: subjects.size,
    imageCount: images.length,
    images: images.slice(0, MOST_IMAGES).map(([sha256, { path, width, height, subject }]) => {
      return { sha256, name: basename(path), subject, width, height };
    }),
    sizes: counted(images.map(([, { width, height }]) => `${width} × ${height}`)).map(([size, count]) => ({
      size,
      count,
    })),
    priors: counted([...examples.values()].map(({ type }) => type)).map(([type, n]) => {
      const answers = [...examples.values()].filter((one) => one.type === type).map(({ answer }) => answer);
      return {
        type,
        n,
        answers: counted(answers)
          .slice(0, MOST_ANSWERS)
          .map(([answer, count]) => ({ answer, count })),
      };
    }),
    shared:
      last === undefined
        ? null
        : {
            subjects: sharedSubjects.length,
            questions: shared.length,
            of: items.length,
            first: sharedSubjects.slice(0, 10),
          },
    events: run.events.filter(({ event }) => dataEvents.includes(String(event))),
    overlap: last?.summary["overlap"] ?? null,
  };
}

/** Values with their counts, the most frequent first. */
function counted(values: readonly string[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
}
