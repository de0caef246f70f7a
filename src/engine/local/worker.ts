/**
 * The worker thread of a local engine: requests are handled one after another, except that prompts to decode join the
 * running batch of their weights. Other weights' requests and scoring take turns with its tokens; what changes or samples
 * the same weights waits until nothing is decoded with them.
 */
import { parentPort, workerData } from "node:worker_threads";
import { RunError, UserError } from "../../core/errors.ts";
import { asFileError } from "../../core/system-errors.ts";
import type { EngineOptions, OnWeight } from "../backend.ts";
import type { LiveToken } from "../engine.ts";
import { LocalCore } from "./local-core.ts";
import type { OpenedAdapter, Reply, Request } from "./protocol.ts";

const port = parentPort!;
/** By number: 0 is the engine's own, the others are adapters on its model. */
const cores = new Map<number, LocalCore>();
let queue: Promise<void> = Promise.resolve();
/** Whether the next token is in the queue. */
let decodes = false;

port.on("message", (request: Request) => {
  if (request.call === "decode") join(request);
  else if (request.call === "giveUp") giveUp(request);
  else queue = queue.then(() => answer(request));
});

/** Cancels completions of each decode call that has not ended, by call id. */
const decoding = new Map<number, (completion?: number) => void>();

function join({ id, on, prompt, options }: Extract<Request, { readonly call: "decode" }>): void {
  const end = (error: Error | null) => {
    decoding.delete(id);
    if (error === null) port.postMessage({ id, kind: "done", value: null } satisfies Reply);
    else port.postMessage(failure(id, error));
  };
  try {
    const onToken = (event: LiveToken) => port.postMessage({ id, kind: "event", event } satisfies Reply);
    decoding.set(id, coreOf(on).decode(prompt, options, { onToken, onEnd: end }));
  } catch (error) {
    end(error as Error);
    return;
  }
  if (!decodes) decodeNext();
}

function giveUp({ id, of, completion }: Extract<Request, { readonly call: "giveUp" }>): void {
  decoding.get(of)?.(completion ?? undefined);
  port.postMessage({ id, kind: "done", value: null } satisfies Reply);
}

/** Puts one token of every open completion into the queue, until none is left; messages arrive in between. */
function decodeNext(): void {
  decodes = true;
  queue = queue.then(async () => {
    for (const core of cores.values()) await core.advance();
    await new Promise<void>((resolve) => setImmediate(resolve));
    decodes = false;
    if ([...cores.values()].some((core) => core.decoding)) decodeNext();
  });
}

async function answer(request: Queued): Promise<void> {
  const { id } = request;
  const reply = (message: Reply) => port.postMessage(message);
  try {
    const waits = request.call !== "logProbs" && request.call !== "embed"; // these leave weights and caches as they are
    while (waits && (await cores.get(request.on)?.advance()))
      await new Promise<void>((resolve) => setImmediate(resolve));
    reply({ id, kind: "done", value: await perform(request, (event) => reply({ id, kind: "event", event })) });
  } catch (error) {
    reply(failure(id, error));
  }
}

function failure(id: number, thrown: unknown): Reply {
  const error = asFileError(thrown) as Error;
  const fault = error instanceof UserError ? "user" : error instanceof RunError ? "run" : "internal";
  return { id, kind: "error", message: error.message, fault, stack: error.stack ?? "" };
}

type Queued = Exclude<Request, { readonly call: "decode" | "giveUp" }>;

function coreOf(on: number): LocalCore {
  const core = cores.get(on);
  if (core === undefined) throw new Error("internal: the engine is not open");
  return core;
}

function openCore(adapter: OpenedAdapter | undefined, onWeight: OnWeight): LocalCore {
  const options = workerData as EngineOptions;
  if (adapter === undefined) return new LocalCore(options, null, onWeight);
  if ("snapshotOf" in adapter) return coreOf(adapter.snapshotOf).snapshot();
  const { lora, seed, folder = null, merged = true } = adapter;
  return new LocalCore({ ...options, lora, seed, adapterFolder: folder }, { base: coreOf(0).base, merged });
}

async function perform(request: Queued, emit: (event: unknown) => void): Promise<unknown> {
  const { on } = request;
  if (request.call === "open") {
    const opened = openCore(request.adapter, (done, total) => emit([done, total]));
    cores.set(on, opened);
    const { parameters, contextLength, vocabularySize, hasScoreHead, tower } = opened;
    return { parameters, contextLength, vocabularySize, hasScoreHead, towerWidth: tower.width };
  }
  const core = coreOf(on);
  switch (request.call) {
    case "sample":
      return core.sample(request.prompts, request.options, emit);
    case "logProbs":
      return core.logProbs(request.groups, request.scoring, request.which);
    case "embed":
      return core.embed(request.prompts);
    case "forwardBackward":
      return core.forwardBackward(request.batch);
    case "scores":
      return core.scores(request.groups);
    case "scoresBackward":
      return core.backwardScores(request.groups, request.gradients);
    case "optimStep":
      if (!core.isAdapter) requireNoAdapters();
      return core.optimStep(request.options);
    case "softPass":
      return request.of === "policy" ? core.soft.policyPass(request.batch) : core.soft.criticPass(request.batch);
    case "softStep":
      return core.soft.step(request.options);
    case "gradients":
      return core.gradients(request.batch, request.wrt);
    case "towerEncode":
      return core.tower.encode(request.images, request.training);
    case "towerBackward":
      return core.tower.backward(request.gradients);
    case "inputNorms":
      return core.inputNorms(request.groups);
    case "freezeReference":
      return core.freezeReference(request.keep);
    case "resetOptimizer":
      return core.resetOptimizer();
    case "save":
      await core.fetch();
      try {
        return core.save(request.folder, request.training);
      } finally {
        core.forget();
      }
    case "load":
      if (!core.isAdapter) requireNoAdapters();
      core.load(request.folder);
      return { hasReference: core.hasReference };
    case "close":
      if (on === 0) await core.close();
      else if (core.isAdapter) core.store.release();
      cores.delete(on);
      return null;
  }
}

function requireNoAdapters(): void {
  if (cores.size > 1) throw new Error("internal: weights that adapters are open on cannot change");
}
