/** The TrainingEngine over ONNX Runtime in a worker thread: the main thread stays free for rewards, files and pages. */
import type { Worker } from "node:worker_threads";
import { RunError, UserError } from "../../core/errors.ts";
import type { Completion, RolloutResult, SamplingOptions } from "../../core/records.ts";
import { readAdapterConfig } from "../../models/adapter-files.ts";
import type { CompletionDecoder, EngineDemands, EngineOptions, OnWeight } from "../backend.ts";
import type { AdapterHost, LivePolicy, LiveToken, Policy, ScoreHead, TokenScores, TrainingEngine } from "../engine.ts";
import { finitePolicy, requireFiniteVector } from "../finite-policy.ts";
import { startWorker } from "../start-worker.ts";
import { openAttachments } from "./attachments.ts";
import { requireDevice } from "./devices.ts";
import { takeDevice } from "./one-per-device.ts";
import type { Call, OpenedAdapter, Reply } from "./protocol.ts";
import type { SampledGroup, SamplingSeconds } from "./sampler.ts";
import { type StopText, stopTextOf } from "./stop-text.ts";

export interface LocalEngine extends TrainingEngine {
  readonly decode: LivePolicy["decode"];
  /** Number of weights. */
  readonly parameters: number;
  /** Time split of the last finished `sample`; null before it. */
  readonly samplingSeconds: SamplingSeconds | null;
}

/**
 * Starts a worker and loads or initialises the model in it. Throws UserError if the device does not work, or if another engine
 * of this process keeps its arrays there.
 */
export async function openLocalEngine(
  options: EngineOptions,
  decoder: CompletionDecoder,
  _?: EngineDemands, // this engine does all there is
  onWeight?: OnWeight,
): Promise<LocalEngine> {
  const device = options.device ?? "cpu";
  await requireDevice(device);
  const release = takeDevice(device);
  const channel = new Channel(options);
  const end = async () => {
    await channel.close();
    release();
  };
  let adapters = 0;
  try {
    const open = (adapter: OpenedAdapter): Promise<LocalEngine> => {
      const on = ++adapters;
      const close = async () => {
        await channel.call({ call: "close" }, { on });
      };
      const snapshot = () => open({ snapshotOf: on });
      return openWeights(channel, { on, adapter, close, options, decoder, snapshot });
    };
    const host: AdapterHost = {
      open,
      load: async (folder) => {
        const { base: _, ...lora } = readAdapterConfig(folder);
        return open({ lora, seed: 0, folder, merged: false });
      },
      base: () => open({ lora: null, seed: 0 }),
    };
    const own = { on: 0, close: end, options, decoder, adapters: host };
    return await openWeights(channel, { ...own, ...(onWeight === undefined ? {} : { onWeight }) });
  } catch (error) {
    await end();
    throw error;
  }
}

interface OpenWeights {
  /** The number that the worker knows these weights by. */
  readonly on: number;
  readonly adapter?: OpenedAdapter;
  readonly snapshot?: () => Promise<TrainingEngine>;
  readonly close: () => Promise<void>;
  readonly options: EngineOptions;
  readonly decoder: CompletionDecoder;
  readonly adapters?: AdapterHost;
  readonly onWeight?: OnWeight;
}

interface Opened {
  readonly parameters: number;
  readonly contextLength: number;
  readonly vocabularySize: number;
  readonly towerWidth: number;
  readonly hasScoreHead: boolean;
}

/** The engine of one set of weights in the worker. */
async function openWeights(channel: Channel, o: OpenWeights): Promise<LocalEngine> {
  const { on, adapter, options, decoder } = o;
  const call = <T>(request: Call) => channel.call<T>(request, { on });
  let version = 0;
  let hasReference = false;
  let samplingSeconds: SamplingSeconds | null = null;
  const logProbs = (which: "policy" | "reference"): Policy["logProbs"] => {
    return (groups, scoring) => call<TokenScores>({ call: "logProbs", groups, scoring, which });
  };
  const weightsNow = () => {
    return version === 0 ? (options.adapterFolder ?? options.modelFolder) : `the model after ${version} updates`;
  };
  const stopTexts = new Map<string, StopText>();
  const stopAt = (text: string): StopText => {
    const known = stopTexts.get(text) ?? stopTextOf(text, vocabularySize, (id) => decoder.decode(Int32Array.of(id)));
    stopTexts.set(text, known);
    return known;
  };
  const sample = (prompts: Parameters<Policy["sample"]>[0], o: SamplingOptions): AsyncIterable<RolloutResult> => {
    const stop = o.stopText === undefined ? {} : { stop: stopAt(o.stopText) };
    const request: Call = {
      call: "sample",
      prompts,
      options: { ...o, ...stop, rows: o.rows ?? options.rows, stopTokenIds: decoder.stopTokenIds },
    };
    const onResult = (seconds: SamplingSeconds) => {
      samplingSeconds = seconds;
    };
    const { events } = channel.stream<SampledGroup, SamplingSeconds>(request, { on, onResult });
    return mapGroups(events, ({ index, completions }) => ({
      index,
      completions: completions.map((completion): Completion => {
        return { ...completion, text: decoder.decode(completion.tokenIds), policyVersion: version };
      }),
    }));
  };
  const scoreHead: ScoreHead = {
    scores: (groups) => call({ call: "scores", groups }),
    backward: (groups, gradients) => call({ call: "scoresBackward", groups, gradients }),
  };
  const opening: Call = { call: "open", ...(adapter === undefined ? {} : { adapter }) };
  const seed = adapter !== undefined && "seed" in adapter ? adapter.seed : options.seed;
  const attachments = openAttachments({ seed, threads: options.threads });
  const onEvent = (event: unknown) => o.onWeight?.(...(event as Parameters<OnWeight>));
  const { hasScoreHead, towerWidth, vocabularySize, ...opened } = await channel.call<Opened>(opening, { on, onEvent });
  return {
    ...opened,
    get updates() {
      return version;
    },
    get samplingSeconds() {
      return samplingSeconds;
    },
    policy: finitePolicy(
      { sample, logProbs: logProbs("policy"), embed: (prompts) => call({ call: "embed", prompts }) },
      weightsNow,
    ),
    decode: (prompt, own) => {
      const asked = { ...own, stopTokenIds: own.stopTokenIds ?? decoder.stopTokenIds };
      const { id, events } = channel.stream<LiveToken>({ call: "decode", prompt, options: asked }, { on });
      const giveUp = (completion?: number) => {
        const given = call({ call: "giveUp", of: id, completion: completion ?? null });
        given.catch(() => {}); // a dead worker decodes nothing
      };
      return { tokens: events, giveUp };
    },
    ...(o.adapters === undefined ? {} : { adapters: o.adapters }),
    ...(o.snapshot === undefined ? {} : { snapshot: o.snapshot }),
    get reference() {
      return hasReference ? { logProbs: logProbs("reference") } : null;
    },
    forwardBackward: (batch) => call({ call: "forwardBackward", batch }),
    ...(hasScoreHead ? { scoreHead } : {}),
    optimStep: (step) => {
      version++;
      return call({ call: "optimStep", options: step });
    },
    softCritic: {
      policyPass: (batch) => call({ call: "softPass", of: "policy", batch }),
      criticPass: (batch) => call({ call: "softPass", of: "critic", batch }),
      step: (step) => {
        version++;
        return call({ call: "softStep", options: step });
      },
    },
    gradients: (batch, wrt) => call({ call: "gradients", batch, wrt }),
    tower: {
      width: towerWidth,
      encode: async (images, { training }) => {
        const features = await call<readonly Float32Array[]>({ call: "towerEncode", images, training });
        for (const values of features) requireFiniteVector(values, weightsNow());
        return features;
      },
      backward: (gradients) => call({ call: "towerBackward", gradients }),
    },
    inputNorms: (groups) => call({ call: "inputNorms", groups }),
    freezeReference: async (keep) => {
      await call({ call: "freezeReference", keep });
      hasReference = keep;
    },
    attach: attachments.attach,
    resetOptimizer: async () => {
      await call({ call: "resetOptimizer" });
      await attachments.clear();
    },
    save: async (folder, { training }) => {
      await call({ call: "save", folder, training });
      if (training) attachments.save(folder);
    },
    load: async (folder) => {
      attachments.load(folder);
      ({ hasReference } = await call<{ hasReference: boolean }>({ call: "load", folder }));
    },
    close: async () => {
      await attachments.clear();
      await o.close();
    },
  };
}

const errors = { user: UserError, run: RunError, internal: Error } as const;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onEvent: (event: unknown) => void;
}

/** Requests and their replies; owns the worker. */
class Channel {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #next = 0;
  #failure: Error | null = null;

  constructor(options: EngineOptions) {
    this.#worker = startWorker(new URL("./worker.ts", import.meta.url), options);
    this.#worker.on("message", (reply: Reply) => this.#receive(reply));
    this.#worker.on("error", (error) => this.#fail(new RunError(`the engine's worker failed: ${error.message}`)));
    this.#worker.on("exit", (code) => this.#fail(new RunError(`the engine's worker ended (exit code ${code})`)));
  }

  /** `on`: the weights that the call is for; `onEvent` gets what it tells on the way. */
  call<T>(
    call: Call,
    { on, onEvent = () => {} }: { readonly on: number; readonly onEvent?: (event: unknown) => void },
  ): Promise<T> {
    return this.#send<T>(call, on, onEvent).result;
  }

  /** A call's id and its stream of events, which ends or fails with the call; `onResult` gets the result first. */
  stream<T, R = unknown>(
    call: Call,
    { on, onResult = () => {} }: { readonly on: number; readonly onResult?: (result: R) => void },
  ): { readonly id: number; readonly events: AsyncGenerator<T> } {
    const waiting: T[] = [];
    let wake = () => {};
    let ended = false;
    const { id, result } = this.#send<R>(call, on, (event) => {
      waiting.push(event as T);
      wake();
    });
    const whole = result.then(onResult).finally(() => {
      ended = true;
      wake();
    });
    whole.catch(() => {}); // awaited below
    async function* events() {
      while (!ended || waiting.length > 0) {
        const event = waiting.shift();
        if (event !== undefined) yield event;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
            if (ended) resolve();
          });
        }
      }
      await whole;
    }
    return { id, events: events() };
  }

  #send<T>(
    call: Call,
    on: number,
    onEvent: (event: unknown) => void,
  ): {
    readonly id: number;
    readonly result: Promise<T>;
  } {
    const id = this.#next++;
    if (this.#failure !== null) return { id, result: Promise.reject(this.#failure) };
    const result = new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject, onEvent });
      this.#worker.postMessage({ ...call, id, on });
    });
    return { id, result };
  }

  async close(): Promise<void> {
    if (this.#failure === null) await this.call({ call: "close" }, { on: 0 }).catch(() => {});
    this.#failure ??= new RunError("the engine is closed");
    await this.#worker.terminate();
  }

  #receive(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    if (reply.kind === "event") {
      pending.onEvent(reply.event);
      return;
    }
    this.#pending.delete(reply.id);
    if (reply.kind === "done") {
      pending.resolve(reply.value);
      return;
    }
    const error = new errors[reply.fault](reply.message);
    if (reply.fault === "internal") error.stack = reply.stack;
    pending.reject(error);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
  }
}

async function* mapGroups<A, B>(items: AsyncIterable<A>, f: (item: A) => B): AsyncGenerator<B> {
  for await (const item of items) yield f(item);
}
