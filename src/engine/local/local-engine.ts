/** The TrainingEngine over ONNX Runtime in a worker thread: the main thread stays free for rewards, files and pages. */
import type { Worker } from "node:worker_threads";
import { RunError, UserError } from "../../core/errors.ts";
import type { Completion, RolloutResult, SamplingOptions } from "../../core/records.ts";
import type { CompletionDecoder, EngineOptions } from "../backend.ts";
import type { LivePolicy, LiveToken, Policy, TokenScores, TrainingEngine } from "../engine.ts";
import { startWorker } from "../start-worker.ts";
import { requireDevice } from "./devices.ts";
import type { Call, Reply } from "./protocol.ts";
import type { SampledGroup, SamplingSeconds } from "./sampler.ts";

export interface LocalEngine extends TrainingEngine {
  readonly decode: LivePolicy["decode"];
  /** Number of weights. */
  readonly parameters: number;
  /** Time split of the last finished `sample`; null before it. */
  readonly samplingSeconds: SamplingSeconds | null;
}

/** Starts a worker and loads or initialises the model in it. Throws UserError if the device does not work. */
export async function openLocalEngine(options: EngineOptions, decoder: CompletionDecoder): Promise<LocalEngine> {
  await requireDevice(options.device ?? "cpu");
  const channel = new Channel(options);
  let version = 0;
  let hasReference = false;
  let samplingSeconds: SamplingSeconds | null = null;
  const logProbs = (which: "policy" | "reference"): Policy["logProbs"] => {
    return (groups, scoring) => channel.call<TokenScores>({ call: "logProbs", groups, scoring, which });
  };
  const sample = (prompts: Parameters<Policy["sample"]>[0], o: SamplingOptions): AsyncIterable<RolloutResult> => {
    const call: Call = {
      call: "sample",
      prompts,
      options: { ...o, rows: o.rows ?? options.rows, stopTokenIds: decoder.stopTokenIds },
    };
    const { events } = channel.stream<SampledGroup, SamplingSeconds>(call, (seconds) => {
      samplingSeconds = seconds;
    });
    return mapGroups(events, ({ index, completions }) => ({
      index,
      completions: completions.map((completion): Completion => {
        return { ...completion, text: decoder.decode(completion.tokenIds), policyVersion: version };
      }),
    }));
  };
  try {
    const opened = await channel.call<{ parameters: number; contextLength: number }>({ call: "open" });
    return {
      ...opened,
      get updates() {
        return version;
      },
      get samplingSeconds() {
        return samplingSeconds;
      },
      policy: { sample, logProbs: logProbs("policy") },
      decode: (prompt, o) => {
        const { stopTokenIds } = decoder;
        const { id, events } = channel.stream<LiveToken>({ call: "decode", prompt, options: { ...o, stopTokenIds } });
        const giveUp = (completion?: number) => {
          const call = channel.call({ call: "giveUp", of: id, completion: completion ?? null });
          call.catch(() => {}); // a dead worker decodes nothing
        };
        return { tokens: events, giveUp };
      },
      get reference() {
        return hasReference ? { logProbs: logProbs("reference") } : null;
      },
      forwardBackward: (batch) => channel.call({ call: "forwardBackward", batch }),
      optimStep: (o) => {
        version++;
        return channel.call({ call: "optimStep", options: o });
      },
      freezeReference: async (keep) => {
        await channel.call({ call: "freezeReference", keep });
        hasReference = keep;
      },
      resetOptimizer: () => channel.call({ call: "resetOptimizer" }),
      save: (folder, { training }) => channel.call({ call: "save", folder, training }),
      load: async (folder) => {
        ({ hasReference } = await channel.call<{ hasReference: boolean }>({ call: "load", folder }));
      },
      close: () => channel.close(),
    };
  } catch (error) {
    await channel.close();
    throw error;
  }
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

  call<T>(call: Call, onEvent: (event: unknown) => void = () => {}): Promise<T> {
    return this.#send<T>(call, onEvent).result;
  }

  /** A call's id and its stream of events, which ends or fails with the call; `onResult` gets the result first. */
  stream<T, R = unknown>(
    call: Call,
    onResult: (result: R) => void = () => {},
  ): { readonly id: number; readonly events: AsyncGenerator<T> } {
    const waiting: T[] = [];
    let wake = () => {};
    let ended = false;
    const { id, result } = this.#send<R>(call, (event) => {
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

  #send<T>(call: Call, onEvent: (event: unknown) => void): { readonly id: number; readonly result: Promise<T> } {
    const id = this.#next++;
    if (this.#failure !== null) return { id, result: Promise.reject(this.#failure) };
    const result = new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject, onEvent });
      this.#worker.postMessage({ ...call, id });
    });
    return { id, result };
  }

  async close(): Promise<void> {
    if (this.#failure === null) await this.call({ call: "close" }).catch(() => {});
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
