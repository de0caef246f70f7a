/**
 * The worker thread of a local engine: requests are handled sequentially, except that prompts to decode join the
 * running batch.
 */
import { parentPort, workerData } from "node:worker_threads";
import { RunError, UserError } from "../../core/errors.ts";
import { asFileError } from "../../core/system-errors.ts";
import type { EngineOptions } from "../backend.ts";
import type { LiveToken } from "../engine.ts";
import { LocalCore } from "./local-core.ts";
import type { Reply, Request } from "./protocol.ts";

const port = parentPort!;
let core: LocalCore | null = null;
let queue: Promise<void> = Promise.resolve();

port.on("message", (request: Request) => {
  if (request.call === "decode") join(request);
  else if (request.call === "giveUp") giveUp(request);
  else queue = queue.then(() => answer(request));
});

/** Cancels completions of each decode call that has not ended, by call id. */
const decoding = new Map<number, (completion?: number) => void>();

function join({ id, prompt, options }: Extract<Request, { readonly call: "decode" }>): void {
  const end = (error: Error | null) => {
    decoding.delete(id);
    if (error === null) port.postMessage({ id, kind: "done", value: null } satisfies Reply);
    else port.postMessage(failure(id, error));
  };
  try {
    if (core === null) throw new Error("internal: the engine is not open");
    const onToken = (event: LiveToken) => port.postMessage({ id, kind: "event", event } satisfies Reply);
    decoding.set(id, core.decode(prompt, options, { onToken, onEnd: end }));
  } catch (error) {
    end(error as Error);
    return;
  }
  if (decoding.size === 1) queue = queue.then(decodeAll);
}

function giveUp({ id, of, completion }: Extract<Request, { readonly call: "giveUp" }>): void {
  decoding.get(of)?.(completion ?? undefined);
  port.postMessage({ id, kind: "done", value: null } satisfies Reply);
}

/** Decodes until no completion is left; processes messages between tokens. */
async function decodeAll(): Promise<void> {
  while (await core?.advance()) await new Promise<void>((resolve) => setImmediate(resolve));
}

async function answer(request: Queued): Promise<void> {
  const { id } = request;
  const reply = (message: Reply) => port.postMessage(message);
  try {
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

async function perform(request: Queued, emit: (event: unknown) => void): Promise<unknown> {
  if (request.call === "open") {
    core = new LocalCore(workerData as EngineOptions);
    return { parameters: core.parameters, contextLength: core.contextLength };
  }
  if (core === null) throw new Error("internal: the engine is not open");
  switch (request.call) {
    case "sample":
      return core.sample(request.prompts, request.options, emit);
    case "logProbs":
      return core.logProbs(request.groups, request.scoring, request.which);
    case "forwardBackward":
      return core.forwardBackward(request.batch);
    case "optimStep":
      return core.optimStep(request.options);
    case "freezeReference":
      return core.freezeReference(request.keep);
    case "resetOptimizer":
      return core.resetOptimizer();
    case "save":
      return core.save(request.folder, request.training);
    case "load":
      core.load(request.folder);
      return { hasReference: core.hasReference };
    case "close":
      await core.close();
      return null;
  }
}
