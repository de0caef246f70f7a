/** The worker thread that a local engine lives in: answers one request after another. */
import { parentPort, workerData } from "node:worker_threads";
import { UserError } from "../../core/errors.ts";
import { LocalCore, type LocalEngineOptions } from "./local-core.ts";
import type { Reply, Request } from "./protocol.ts";

const port = parentPort!;
let core: LocalCore | null = null;
let queue: Promise<void> = Promise.resolve();

port.on("message", (request: Request) => {
  queue = queue.then(() => answer(request));
});

async function answer(request: Request): Promise<void> {
  const { id } = request;
  const reply = (message: Reply) => port.postMessage(message);
  try {
    reply({ id, kind: "done", value: await perform(request, (event) => reply({ id, kind: "event", event })) });
  } catch (error) {
    const { message, stack } = error as Error;
    reply({ id, kind: "error", message, user: error instanceof UserError, stack: stack ?? "" });
  }
}

async function perform(request: Request, emit: (event: unknown) => void): Promise<unknown> {
  if (request.call === "open") {
    core = new LocalCore(workerData as LocalEngineOptions);
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
