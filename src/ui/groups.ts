/** The groups of rollouts.jsonl as columns: what the filters of a page need of each, so that only shown groups are read. */
import { meanOf } from "../core/mean.ts";
import { groupText } from "./group-text.ts";
import { followLines, type LineFile, recordOf } from "./lines.ts";

/** What is known of a group without reading it. */
interface Row {
  /** "step/group". */
  readonly ids: string;
  readonly steps: number;
  /** Mean reward of the completions that have one; null where none has. */
  readonly means: number | null;
  /** Standard deviation of these rewards (over G); 0 is a group without a learning signal. */
  readonly deviations: number | null;
  readonly sizes: number;
  /** Completions that were cut at the longest length. */
  readonly truncated: number;
  /** Completions without a parsed answer. */
  readonly unparsed: number;
  /** Completions on which two rewards disagree: one at its best of the group, another at its worst. */
  readonly divided: number;
  readonly examples: string;
}
type Columns = { readonly [Name in keyof Row]: readonly Row[Name][] };

/** Columns over groups, in the order of the file. */
export interface GroupColumns extends Columns {
  /** The first group's place in the file. */
  readonly from: number;
  /** By name (answer_type, and the example's meta): a value per group, "" where it has none. */
  readonly facets: Readonly<Record<string, readonly string[]>>;
}

export interface GroupIndex {
  readonly file: LineFile;
  /** Groups so far; lines that are no group are left out. */
  readonly count: number;
  /** Lines that are no group. */
  readonly unreadable: number;
  columns(from?: number): GroupColumns;
  /** All groups as they are recorded, one after the other. */
  records(): Generator<Readonly<Record<string, unknown>>>;
  /** How many groups stand on the first lines of the file. */
  rowsBefore(line: number): number;
  /** The record of a group by its id; the last of several. Null where there is none. */
  group(id: string): Readonly<Record<string, unknown>> | null;
  /** Groups, as places in the columns, with a text in question, answer or a completion, without regard to case. */
  search(text: string, most: number): readonly number[];
  /** Path and size of images by their hash, as the groups record them. */
  image(sha256: string): RecordedImage | null;
  readonly images: ReadonlyMap<string, RecordedImage>;
}

export interface RecordedImage {
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly subject: string;
}

/** More kinds of value than this make no filter. */
const MOST_FACETS = 8;

interface IndexedRow extends Row {
  readonly line: number;
  readonly facets: Readonly<Record<string, string>>;
}

export function indexGroups(path: string): GroupIndex {
  let rows: IndexedRow[] = [];
  let unreadable = 0;
  let names: string[] = [];
  const places = new Map<string, number>();
  const images = new Map<string, RecordedImage>();
  const file = followLines(path, {
    line(text, index) {
      if (text === "") return;
      const record = recordOf(text);
      const row = record === null ? null : rowOf(record, index);
      if (row === null) {
        unreadable++;
        return;
      }
      places.set(row.ids, rows.length);
      rows.push(row);
      for (const name of Object.keys(row.facets)) {
        if (names.length < MOST_FACETS && !names.includes(name)) names.push(name);
      }
      for (const image of imagesIn(record!)) noteImage(images, image, String(record!["subject_id"] ?? ""));
    },
    reset() {
      rows = [];
      names = [];
      unreadable = 0;
      places.clear();
      images.clear();
    },
  });
  return {
    file,
    images,
    get count() {
      return rows.length;
    },
    get unreadable() {
      return unreadable;
    },
    columns(from = 0) {
      const part = from === 0 ? rows : rows.slice(from);
      const column = <Name extends keyof Row>(name: Name) => part.map((row) => row[name]);
      return {
        ...{ from, ids: column("ids"), steps: column("steps"), means: column("means") },
        ...{ deviations: column("deviations"), sizes: column("sizes"), truncated: column("truncated") },
        ...{ unparsed: column("unparsed"), divided: column("divided"), examples: column("examples") },
        facets: Object.fromEntries(names.map((name) => [name, part.map(({ facets }) => facets[name] ?? "")])),
      };
    },
    *records() {
      for (const line of file.lines(rows.map((row) => row.line))) {
        const record = recordOf(line);
        if (record !== null) yield record;
      }
    },
    rowsBefore(line) {
      const later = rows.findIndex((row) => row.line >= line);
      return later < 0 ? rows.length : later;
    },
    group(id) {
      const place = places.get(id);
      return place === undefined ? null : recordOf(file.read(rows[place]!.line));
    },
    search(text, most) {
      const wanted = text.toLowerCase();
      const written = JSON.stringify(wanted).slice(1, -1); // as the line has it: lines without it need not be parsed
      const found: number[] = [];
      let place = 0;
      for (const line of file.lines(rows.map((row) => row.line))) {
        if (line?.toLowerCase().includes(written) && groupText(recordOf(line)).includes(wanted)) found.push(place);
        place++;
        if (found.length >= most) break;
      }
      return found;
    },
    image: (sha256) => images.get(sha256) ?? null,
  };
}

function rowOf(record: Readonly<Record<string, unknown>>, line: number): IndexedRow | null {
  const { id, step, completions } = record;
  if (typeof id !== "string" || typeof step !== "number" || !Array.isArray(completions)) return null;
  const given = completions.filter((one) => typeof one === "object" && one !== null);
  const rewards = given.map(({ reward }) => reward).filter((value): value is number => typeof value === "number");
  const mean = rewards.length === 0 ? null : meanOf(rewards);
  const spread = mean === null ? null : Math.sqrt(meanOf(rewards.map((value) => (value - mean) ** 2)));
  const facets: Record<string, string> = {};
  if (typeof record["answer_type"] === "string") facets["answer_type"] = record["answer_type"];
  const meta = record["meta"];
  if (typeof meta === "object" && meta !== null) {
    for (const [name, value] of Object.entries(meta)) if (typeof value === "string") facets[name] = value.slice(0, 80);
  }
  return {
    ...{ line, ids: id, steps: step, means: mean, deviations: spread, sizes: given.length, facets },
    truncated: given.filter(({ finish_reason }) => finish_reason === "length").length,
    unparsed: given.filter(({ parsed_answer }) => parsed_answer === null).length,
    divided: dividedOf(given.map(({ rewards }) => rewards)),
    examples: String(record["example_id"] ?? ""),
  };
}

/** Rewards are put on a scale from 0 to 1 within the group; a completion is divided where two are 0 and 1. */
function dividedOf(rewards: readonly unknown[]): number {
  const lowest = new Map<string, number>();
  const highest = new Map<string, number>();
  const each = rewards.map((one) => (typeof one === "object" && one !== null ? Object.entries(one) : []));
  for (const [name, value] of each.flat()) {
    if (typeof value !== "number") continue;
    lowest.set(name, Math.min(value, lowest.get(name) ?? Number.POSITIVE_INFINITY));
    highest.set(name, Math.max(value, highest.get(name) ?? Number.NEGATIVE_INFINITY));
  }
  let count = 0;
  for (const values of each) {
    let [best, worst] = [false, false];
    for (const [name, value] of values) {
      if (typeof value !== "number" || lowest.get(name) === highest.get(name)) continue;
      if (value === highest.get(name)) best = true;
      if (value === lowest.get(name)) worst = true;
    }
    if (best && worst) count++;
  }
  return count;
}

/** The example's images, then what tools showed. */
function imagesIn(record: Readonly<Record<string, unknown>>): readonly unknown[] {
  type Turn = { readonly observation?: { readonly image?: unknown } | null };
  const turns = listOf(record["completions"]).flatMap(
    (one) => listOf((one as { readonly turns?: unknown } | null)?.turns) as readonly Turn[],
  );
  return [...listOf(record["images"]), ...turns.map((turn) => turn?.observation?.image)];
}

function noteImage(images: Map<string, RecordedImage>, image: unknown, subject: string): void {
  if (typeof image !== "object" || image === null) return;
  const { path, sha256, width, height } = image as Readonly<Record<string, unknown>>;
  if (typeof path !== "string" || typeof sha256 !== "string" || images.has(sha256)) return;
  images.set(sha256, { path, width: Number(width) || 0, height: Number(height) || 0, subject });
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
