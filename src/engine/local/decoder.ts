/**
 * Continuous decoding: a prompt is computed once for all its completions, a finished row's place goes to the next one, and
 * jobs may come and go while others are decoded. What is drawn depends on a job's key, the completion and the position
 * alone, never on the schedule.
 */
import type { Params } from "../../compiler/tensor.ts";
import { type RandomKey, randomKey } from "../../core/random.ts";
import type { Prompt } from "../../core/records.ts";
import type { TensorData } from "../../core/tensor-data.ts";
import type { LanguageStack } from "../../models/model.ts";
import type { LiveToken } from "../engine.ts";
import type { Compute } from "./compute.ts";
import { type Generation, type GenerationRow, lengthOf, openGeneration } from "./generation.ts";
import { KeyValueCache } from "./key-value-cache.ts";

/** A prompt whose completions are asked for, and who hears of them. */
export interface DecodeJob {
  readonly prompt: Prompt;
  readonly numGenerations: number;
  readonly maxCompletionLength: number;
  readonly distribution: GenerationRow["distribution"];
  /** Completion i draws with this key and i. */
  readonly key: RandomKey;
  onToken(token: LiveToken): void;
  /** Called once: all completions have ended or were given up, or the job failed. */
  onEnd(error: Error | null): void;
}

export interface DecoderOptions {
  /** Completions decoded at the same time. */
  readonly rows: number;
  /** Bytes that keys and values of all rows may take, though one row is always decoded; fewer rows fit where jobs are long. */
  readonly cacheBytes: number;
  /** Positions that the first cache has at least. */
  readonly capacity?: number;
  readonly stopTokenIds: readonly number[];
  /** Features of a prompt's images by content hash. */
  readonly encode: (prompt: Prompt) => Promise<ReadonlyMap<string, Float32Array>>;
}

/** One completion while it grows. */
interface Row extends GenerationRow {
  readonly job: Job;
  readonly completion: number;
  readonly tokenIds: number[];
}

interface Job {
  readonly asked: DecodeJob;
  /** Tokens that a row of it may come to. */
  readonly most: number;
  /** Completions that have neither ended nor been given up. */
  readonly open: Set<number>;
}

/** Caches grow by this many positions at least, so that they are seldom copied. */
const CAPACITY_STEP = 256;

export class Decoder {
  readonly #generation: Generation;
  readonly #language: LanguageStack;
  readonly #o: DecoderOptions;
  readonly #stops: ReadonlySet<number>;
  /** Jobs whose prompts were not computed yet. */
  readonly #waiting: Job[] = [];
  /** Rows of a computed prompt that wait for a place. */
  #ready: { readonly row: Row; readonly cache: KeyValueCache }[] = [];
  /** Row i lies at i in the cache. */
  readonly #active: Row[] = [];
  #cache: KeyValueCache | null = null;

  constructor(compute: Compute, values: Params<TensorData>, o: DecoderOptions) {
    this.#generation = openGeneration(compute, values);
    this.#language = compute.model.language;
    this.#o = o;
    this.#stops = new Set(o.stopTokenIds);
  }

  /** Adds a job to the end of the queue; the function that is returned gives up one of its completions, or all. */
  add(asked: DecodeJob): (completion?: number) => void {
    const all = Array.from({ length: asked.numGenerations }, (_, completion) => completion);
    const most = asked.prompt.tokenIds.length + asked.maxCompletionLength;
    const job: Job = { asked, most, open: new Set(all) };
    this.#waiting.push(job);
    return (completion) => {
      for (const one of completion === undefined ? all : [completion]) this.#close(job, one);
    };
  }

  get idle(): boolean {
    return this.#waiting.length + this.#ready.length + this.#active.length === 0;
  }

  /** Starts what there is room for, and then adds a token to every active row. */
  async advance(): Promise<void> {
    this.#removeClosed();
    await this.#fill();
    if (this.#active.length > 0) {
      const { token, logProb } = await this.#generation.step(this.#cache!, this.#active);
      for (const [i, row] of this.#active.entries()) this.#extend(row, token[i]!, logProb[i]!);
      this.#removeClosed();
    }
    if (this.idle) this.#cache = null;
  }

  /** Ends every job with an error. */
  fail(error: Error): void {
    const jobs = new Set([...this.#active, ...this.#ready.map(({ row }) => row)].map(({ job }) => job));
    for (const job of [...jobs, ...this.#waiting]) this.#end(job, error);
    this.#removeClosed();
    this.#cache = null;
  }

  /** Computes prompts in order and puts their completions into free rows. */
  async #fill(): Promise<void> {
    for (;;) {
      while (this.#ready.length > 0 && this.#makeRoom(this.#ready[0]!.row.job)) {
        const { row, cache } = this.#ready.shift()!;
        this.#cache!.load(this.#active.length, cache);
        this.#active.push(row);
      }
      const next = this.#waiting[0];
      if (next === undefined || this.#ready.length > 0 || !this.#makeRoom(next)) return;
      this.#waiting.shift();
      await this.#start(next);
    }
  }

  async #start(job: Job): Promise<void> {
    if (job.open.size === 0) return;
    const { prompt, key, distribution } = job.asked;
    const promptLength = prompt.tokenIds.length;
    try {
      const grids = prompt.images.map((image) => image.grid);
      const { positions, next } = this.#language.positions(prompt.tokenIds, grids);
      const rows = [...job.open].map((completion): Row => {
        const own = randomKey(key.hi, key.lo, completion);
        return { job, completion, key: own, distribution, promptLength, next, tokenIds: [] };
      });
      const features = await this.#o.encode(prompt);
      const { token, logProb, cache } = await this.#generation.prefill(prompt, positions, features, rows);
      for (const [i, row] of rows.entries()) {
        if (this.#extend(row, token[i]!, logProb[i]!)) this.#ready.push({ row, cache });
      }
    } catch (error) {
      this.#end(job, error as Error);
    }
  }

  /** Adds a token; returns whether the row goes on. */
  #extend(row: Row, tokenId: number, logProb: number): boolean {
    const { job, completion, tokenIds } = row;
    if (!job.open.has(completion)) return false;
    tokenIds.push(tokenId);
    const isFull = tokenIds.length >= job.asked.maxCompletionLength;
    const finishReason = this.#stops.has(tokenId) ? "stop" : isFull ? "length" : null;
    job.asked.onToken({ completion, tokenId, logProb, finishReason });
    if (finishReason !== null) this.#close(job, completion);
    return finishReason === null;
  }

  #close(job: Job, completion: number): void {
    if (job.open.delete(completion) && job.open.size === 0) job.asked.onEnd(null);
  }

  #end(job: Job, error: Error): void {
    if (job.open.size === 0) return;
    job.open.clear();
    job.asked.onEnd(error);
  }

  /** Takes out what was closed; the last active row moves to a place that falls free. */
  #removeClosed(): void {
    const isOpen = ({ job, completion }: Row) => job.open.has(completion);
    const active = this.#active;
    for (let i = active.length - 1; i >= 0; i--) {
      if (isOpen(active[i]!)) continue;
      const last = active.length - 1;
      if (i < last) this.#cache!.copyRow(last, i, lengthOf(active[last]!) - 1);
      active[i] = active[last]!;
      active.pop();
    }
    this.#ready = this.#ready.filter(({ row }) => isOpen(row));
    const waiting = this.#waiting.filter(({ open }) => open.size > 0);
    this.#waiting.splice(0, Infinity, ...waiting);
  }

  /** Whether the cache has a free row that a completion of the job fits in; makes another cache where that gives one. */
  #makeRoom(job: Job): boolean {
    const active = this.#active;
    if (active.length >= this.#o.rows) return false;
    const old = this.#cache;
    if (old !== null && old.rows > active.length && old.capacity >= job.most) return true;
    const needed = active.reduce((most, row) => Math.max(most, row.job.most), job.most);
    const capacity = old === null && needed <= (this.#o.capacity ?? 0) ? this.#o.capacity! : roundUp(needed);
    const rows = Math.min(
      this.#o.rows,
      Math.floor(this.#o.cacheBytes / KeyValueCache.rowBytes(this.#language, capacity)),
    );
    if (Math.max(1, rows) <= active.length) return false;
    const cache = new KeyValueCache(this.#language, Math.max(1, rows), capacity);
    for (const [i, row] of active.entries()) cache.load(i, old!, i, lengthOf(row) - 1);
    this.#cache = cache;
    return true;
  }
}

const roundUp = (positions: number) => Math.ceil(positions / CAPACITY_STEP) * CAPACITY_STEP;
