/**
 * Continuous batching: a prompt is prefilled once for all its completions, the slot of a finished row is reused, and
 * jobs join and leave during decoding. Samples depend only on a job's key, the completion and the position, never on
 * the schedule.
 */
import type { Params } from "../../compiler/tensor.ts";
import { type RandomKey, randomKey } from "../../core/random.ts";
import type { Prompt, TokenStat } from "../../core/records.ts";
import type { TensorData } from "../../core/tensor-data.ts";
import type { LanguageStack } from "../../models/model.ts";
import type { LiveToken } from "../engine.ts";
import type { Arrays } from "./arrays/arrays.ts";
import type { Compute } from "./compute.ts";
import { type CacheOptions, DecodingCaches } from "./decoding-caches.ts";
import {
  type CachedPrompt,
  type GeneratedTokens,
  type Generation,
  type GenerationRow,
  openGeneration,
} from "./generation.ts";
import { KeyValueCache } from "./key-value-cache.ts";
import type { Prefix, PrefixCache } from "./prefix-cache.ts";
import { matchedWith, type StopText } from "./stop-text.ts";

/** A prompt whose completions are requested, and its callbacks. */
export interface DecodeJob {
  readonly prompt: Prompt;
  readonly numGenerations: number;
  readonly maxCompletionLength: number;
  readonly distribution: GenerationRow["distribution"];
  readonly stopTokenIds: readonly number[];
  readonly stop?: StopText;
  /** Completion i samples with this key and i. */
  readonly key: RandomKey;
  onToken(token: LiveToken): void;
  /** Called once, when all completions have ended or were cancelled, or the job has failed. */
  onEnd(error: Error | null): void;
}

export interface DecoderOptions extends CacheOptions {
  /** Prompts go on from these, and completions that end at their stop text are added; absent: each prompt is computed. */
  readonly prefixes?: PrefixCache;
  /** Prompts also go on from completions that are being decoded. */
  readonly forks?: boolean;
  /** What is told of every token. */
  readonly tokenStats?: readonly TokenStat[];
  /** Features of a prompt's images by content hash. */
  readonly encode: (prompt: Prompt) => Promise<ReadonlyMap<string, Float32Array>>;
}

interface Job {
  readonly asked: DecodeJob;
  /** Completions that have neither ended nor been cancelled. */
  readonly open: Set<number>;
}

/** A prefilled prompt. */
interface Computed extends CachedPrompt {
  readonly job: Job;
}

/** One completion during decoding. */
interface Row extends GenerationRow {
  readonly prompt: Computed;
  readonly completion: number;
  readonly tokenIds: number[];
  /** How much of the stop text its tokens end in. */
  matched: number;
}

export class Decoder {
  readonly #compute: Compute;
  readonly #values: () => Promise<Params<TensorData>>;
  #generation: Promise<Generation> | null = null;
  readonly #language: LanguageStack;
  readonly #arrays: Arrays;
  readonly #o: DecoderOptions;
  /** Jobs whose prompts are not prefilled yet. */
  readonly #waiting: Job[] = [];
  /** The job whose prompt is being prefilled. */
  #starting: Job | null = null;
  /** Rows of prefilled prompts that wait for a slot. */
  #ready: Row[] = [];
  /** Row i is at slot i of the rows' cache. */
  readonly #active: Row[] = [];
  /** Prompts of active and ready rows; prompt i is at slot i of the prompts' cache. */
  readonly #prompts: Computed[] = [];
  #caches: DecodingCaches | null = null;
  /** Total seconds of prefill and of decoding so far. */
  readonly seconds = { prompts: 0, tokens: 0 };
  /** Tokens of prompts that were computed so far. */
  computed = 0;

  /** The weights are asked for by the first job that begins. */
  constructor(compute: Compute, values: () => Promise<Params<TensorData>>, o: DecoderOptions) {
    this.#compute = compute;
    this.#values = values;
    this.#language = compute.model.language;
    this.#arrays = compute.arrays;
    this.#o = o;
  }

  /** Adds a job to the end of the queue; returns a function that cancels one of its completions, or all. */
  add(asked: DecodeJob): (completion?: number) => void {
    const all = Array.from({ length: asked.numGenerations }, (_, completion) => completion);
    const job: Job = { asked, open: new Set(all) };
    this.#waiting.push(job);
    return (completion) => {
      for (const one of completion === undefined ? all : [completion]) this.#close(job, one);
    };
  }

  /** Nothing is left to decode; false while a prompt is prefilled. */
  get idle(): boolean {
    return this.#starting === null && this.#waiting.length + this.#ready.length + this.#active.length === 0;
  }

  /** Starts jobs while there is room, then decodes one token for every active row. */
  async advance(): Promise<void> {
    this.#removeClosed();
    await this.#fill();
    if (this.#active.length > 0) await this.#timed("tokens", () => this.#step());
    if (this.idle) this.#forgetCaches();
  }

  /** Ends every job with an error. */
  fail(error: Error): void {
    const jobs = [...this.#prompts.map(({ job }) => job), ...this.#waiting];
    if (this.#starting !== null) jobs.push(this.#starting);
    this.#starting = null;
    for (const job of jobs) this.#end(job, error);
    this.#removeClosed();
    this.#forgetCaches();
  }

  #forgetCaches(): void {
    this.#caches?.release();
    this.#caches = null;
  }

  /** Prefills prompts in order and assigns their completions to free rows. */
  async #fill(): Promise<void> {
    for (;;) {
      while (this.#ready.length > 0 && this.#makeRoom(this.#ready[0]!.prompt.job)) {
        this.#active.push(this.#ready.shift()!);
      }
      const next = this.#waiting[0];
      if (next === undefined || this.#ready.length > 0 || !this.#makeRoom(next)) return;
      this.#waiting.shift();
      this.#starting = next;
      await this.#start(next);
      this.#starting = null;
    }
  }

  async #start(job: Job): Promise<void> {
    if (job.open.size === 0) return;
    const { prompt, key, distribution } = job.asked;
    try {
      const grids = prompt.images.map((image) => image.grid);
      const { positions, next } = this.#language.positions(prompt.tokenIds, grids);
      const computed: Computed = { job, length: prompt.tokenIds.length, next };
      const rows = [...job.open].map((completion): Row => {
        const own = randomKey(key.hi, key.lo, completion);
        return { prompt: computed, completion, key: own, distribution, tokenIds: [], matched: 0 };
      });
      const features = await this.#o.encode(prompt);
      const generation = await this.#opened();
      const kept = this.#o.prefixes?.find(prompt) ?? null;
      const prefix = kept ?? this.#fork(prompt);
      this.computed += prompt.tokenIds.length - (prefix?.tokenIds.length ?? 0);
      const drawn = await this.#timed("prompts", () => generation.prefill(prompt, positions, features, rows, prefix));
      const going = rows.filter((row, i) => this.#extend(row, drawn, i));
      if (kept !== null) this.#o.prefixes!.drop(kept);
      if (going.length === 0) {
        this.#arrays.release([drawn.added]);
        return;
      }
      const known = prefix?.tokenIds.length ?? 0;
      if (prefix !== null) this.#caches!.prompts.restore(this.#prompts.length, prefix.values, known);
      this.#caches!.prompts.write(drawn.added, [{ slot: this.#prompts.length, position: known }]);
      this.#arrays.release([drawn.added]);
      this.#prompts.push(computed);
      this.#ready.push(...going);
    } catch (error) {
      this.#end(job, error as Error);
    }
  }

  #opened(): Promise<Generation> {
    this.#generation ??= this.#values().then((own) => openGeneration(this.#compute, own, this.#o.tokenStats));
    return this.#generation;
  }

  async #timed<T>(part: keyof Decoder["seconds"], work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    const result = await work();
    this.seconds[part] += (performance.now() - start) / 1000;
    return result;
  }

  /** Decodes one token for every active row. */
  async #step(): Promise<void> {
    const [active, caches] = [this.#active, this.#caches!];
    const most = Math.max(...active.map(({ tokenIds }) => tokenIds.length));
    const limit = Math.max(...this.#prompts.map(({ job }) => job.asked.maxCompletionLength));
    caches.fitRows(active.length, most, limit);
    const drawn = await (await this.#opened()).step(caches, this.#prompts, active);
    const places = active.map(({ tokenIds }, slot) => ({ slot, position: tokenIds.length - 1 }));
    caches.rows.write(drawn.added, places);
    this.#arrays.release([drawn.added]);
    for (const [i, row] of active.entries()) {
      this.#extend(row, drawn, i);
      if (row.matched > 0 && row.matched === row.prompt.job.asked.stop?.length) this.#keepPrefix(row, i);
    }
    this.#removeClosed();
  }

  /** Adds the token drawn at `index`; returns whether the row goes on. */
  #extend(row: Row, { token, logProb, stats }: GeneratedTokens, index: number): boolean {
    const { completion, tokenIds } = row;
    const { job } = row.prompt;
    if (!job.open.has(completion)) return false;
    const tokenId = token[index]!;
    tokenIds.push(tokenId);
    const { stopTokenIds, stop, maxCompletionLength } = job.asked;
    if (stop !== undefined) row.matched = matchedWith(stop, row.matched, tokenId);
    const isStopped = stopTokenIds.includes(tokenId) || row.matched === stop?.length;
    const finishReason = isStopped ? "stop" : tokenIds.length >= maxCompletionLength ? "length" : null;
    const told = Object.entries(stats).map(([name, values]) => [name, values[index]!] as const);
    job.asked.onToken({
      ...{ completion, tokenId, logProb: logProb[index]!, finishReason },
      ...(told.length === 0 ? {} : { stats: Object.fromEntries(told) }),
    });
    if (finishReason !== null) this.#close(job, completion);
    return finishReason === null;
  }

  /** What a prompt shares with the row that it goes on from, all of the row's own prompt included; null without one. */
  #fork({ tokenIds, images }: Prompt): Prefix | null {
    if (this.#o.forks !== true || this.#arrays.caches !== null) return null; // a device's caches are not read
    const hashes = images.map(({ sha256 }) => sha256);
    let best: { readonly row: Row; readonly slot: number; readonly own: number } | null = null;
    for (const [slot, row] of this.#active.entries()) {
      const { prompt } = row.prompt.job.asked;
      const before = prompt.tokenIds.length;
      const isSame =
        hashes.length === prompt.images.length && prompt.images.every((one, i) => one.sha256 === hashes[i]);
      if (!isSame || before >= tokenIds.length || prompt.tokenIds.some((id, t) => id !== tokenIds[t])) continue;
      const most = Math.min(row.tokenIds.length, tokenIds.length - before) - 1; // the last has none yet; one is computed
      let own = 0;
      while (own < most && row.tokenIds[own] === tokenIds[before + own]) own++;
      if (best === null || before + own > best.row.prompt.length + best.own) best = { row, slot, own };
    }
    if (best === null) return null;
    const { row, slot, own } = best;
    const { prompts, rows } = this.#caches!;
    const values = prompts.read(this.#prompts.indexOf(row.prompt), row.prompt.length, rows, slot, own);
    return { tokenIds: tokenIds.subarray(0, row.prompt.length + own), images: hashes, values };
  }

  /** Of a row that has ended; its last token has no keys and values yet. */
  #keepPrefix({ prompt, tokenIds }: Row, slot: number): void {
    const { prefixes } = this.#o;
    const { tokenIds: before, images } = prompt.job.asked.prompt;
    const own = tokenIds.length - 1;
    if (!prefixes?.fits(KeyValueCache.slotBytes(this.#language, before.length + own))) return;
    const { prompts, rows } = this.#caches!;
    prefixes.keep({
      tokenIds: Int32Array.from([...before, ...tokenIds.slice(0, own)]),
      images: images.map(({ sha256 }) => sha256),
      values: prompts.read(this.#prompts.indexOf(prompt), before.length, rows, slot, own),
    });
  }

  #close(job: Job, completion: number): void {
    if (job.open.delete(completion) && job.open.size === 0) job.asked.onEnd(null);
  }

  #end(job: Job, error: Error): void {
    if (job.open.size === 0) return;
    job.open.clear();
    job.asked.onEnd(error);
  }

  /** Removes finished and cancelled rows; the last active row moves to the freed slot. */
  #removeClosed(): void {
    const isOpen = ({ prompt, completion }: Row) => prompt.job.open.has(completion);
    const active = this.#active;
    for (let i = active.length - 1; i >= 0; i--) {
      if (isOpen(active[i]!)) continue;
      const last = active.pop()!;
      if (i === active.length) continue;
      this.#caches!.rows.copy(active.length, i, last.tokenIds.length - 1);
      active[i] = last;
    }
    this.#ready = this.#ready.filter(isOpen);
    const waiting = this.#waiting.filter(({ open }) => open.size > 0);
    this.#waiting.splice(0, Infinity, ...waiting);
    this.#removeClosedPrompts();
  }

  /** Removes prompts without rows; the last prompt moves to the freed slot. */
  #removeClosedPrompts(): void {
    const prompts = this.#prompts;
    for (let i = prompts.length - 1; i >= 0; i--) {
      if (prompts[i]!.job.open.size > 0) continue;
      const last = prompts.pop()!;
      if (i === prompts.length) continue;
      this.#caches!.prompts.copy(prompts.length, i, last.length);
      prompts[i] = last;
    }
  }

  /** Whether one more row of a job can be decoded; makes room for it if possible. */
  #makeRoom(job: Job): boolean {
    this.#caches ??= new DecodingCaches(this.#language, this.#o, this.#arrays);
    const asked = [...this.#prompts.map((prompt) => prompt.job), job].map((one) => one.asked);
    return this.#caches.makeRoom(
      { prompts: this.#prompts.length, rows: this.#active.length },
      {
        prompt: Math.max(...asked.map(({ prompt }) => prompt.tokenIds.length)),
        completion: Math.max(...asked.map(({ maxCompletionLength }) => maxCompletionLength)),
      },
    );
  }
}
