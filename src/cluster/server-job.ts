/**
 * The server of a run as a job of Ray: started on the node that its address names, waited for, started again where it was lost,
 * and stopped with the run. Where something answers at the address already, nothing is started and nothing stopped.
 */
import { lookup } from "node:dns/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { RunError, UserError } from "../core/errors.ts";
import { isAtWork, type JobView, type RayClient } from "./ray-client.ts";
import { type ClusterNode, nodesWithRoom, type Resources } from "./resources.ts";

export interface ServerJob {
  /** Where it answers, as the recipe names it. */
  readonly url: string;
  /** A program and its arguments, for the shell of the node. */
  readonly command: string;
  readonly resources: Resources;
}

export interface ServerJobOptions {
  readonly ray: RayClient;
  /** Distinguishes the jobs of this process from all others: a job's id is used once. */
  readonly nonce: string;
  readonly onNotice: (text: string) => void;
  readonly signal: AbortSignal;
  /** Milliseconds between looks; 2000 by default. */
  readonly every?: number;
}

/** Jobs in a row that ended before the server answered once, after which it is given up. */
const ENDED_IN_A_ROW = 3;

/**
 * Resolves when the server answers, to what stops it. Throws UserError where no node of the cluster has its address, RunError
 * where its program ends by itself before it answers.
 */
export async function startServerJob(job: ServerJob, o: ServerJobOptions): Promise<() => Promise<void>> {
  const { ray, onNotice, signal, every = 2000 } = o;
  if (await answers(job.url)) {
    onNotice(`a server answers at ${job.url}; none is started on Ray`);
    return async () => {};
  }
  const { id: node } = await nodeAt(job.url, nodesWithRoom(job.resources, await ray.nodes()));
  const ended = new AbortController();
  let attempt = 0;
  let id = "";
  const submit = async () => {
    id = `viva-server-${o.nonce}-${++attempt}`;
    const { resources } = job;
    const refused = await ray.submit({ id, entrypoint: `exec ${job.command}`, resources, node });
    if (refused !== null) throw new RunError(`Ray at ${ray.url} takes no job: ${refused}`);
  };
  const stop = async () => {
    ended.abort();
    await watching;
    let view: JobView;
    do {
      await ray.stop(id);
      view = await ray.look(id);
      if (isAtWork(view)) await sleep(every);
    } while (isAtWork(view));
    if (view.state === "unknown" && (await answers(job.url)))
      onNotice(`Ray has no record of the job ${id}, whose server answers at ${job.url} still: end it there yourself`);
  };
  /**
   * After the first answer: a server that was lost is started again; its client waits for it. One that answers was not lost,
   * whatever Ray says of its job: another would find its port taken.
   */
  const watch = async () => {
    let told = "";
    while (!ended.signal.aborted) {
      await sleep(every, undefined, { signal: ended.signal }).catch(() => {});
      const view = ended.signal.aborted ? null : await ray.look(id);
      if (view === null || view.state === "away" || isAtWork(view)) continue;
      if (await answers(job.url)) {
        if (told !== id) onNotice(`the server answers at ${job.url}, though its job ${id} is gone: ${reasonOf(view)}`);
        told = id;
        continue;
      }
      onNotice(`the server's job ${id} was lost (${reasonOf(view)}); it is submitted again`);
      await submit().catch((error: Error) => onNotice(error.message));
    }
  };
  let watching = Promise.resolve();

  onNotice(`starting the server ${job.url} as a job of Ray at ${ray.url}`);
  await submit();
  try {
    while (!(await answers(job.url))) {
      signal.throwIfAborted();
      const view = await ray.look(id);
      if (view.state !== "away" && !isAtWork(view)) {
        const reason = `the server's job ${id} ended before it answered at ${job.url}: ${reasonOf(view)}`;
        if (attempt >= ENDED_IN_A_ROW || view.state === "SUCCEEDED") throw new RunError(reason);
        onNotice(`${reason}; it is submitted again`);
        await submit();
      }
      await sleep(every, undefined, { signal }).catch(() => {});
    }
  } catch (error) {
    await stop();
    throw error;
  }
  watching = watch();
  return stop;
}

const reasonOf = ({ state, message }: JobView) => message.trim().split("\n").at(-1)!.slice(0, 300) || state;

/** Whether anything answers there in a few seconds, whatever it says. */
async function answers(url: string): Promise<boolean> {
  const health = `${url.replace(/\/+$/, "")}/api/v1/healthz`;
  return fetch(health, { signal: AbortSignal.timeout(5000) }).then(
    async ({ ok, body }) => {
      await body?.cancel();
      return ok;
    },
    () => false,
  );
}

async function nodeAt(url: string, nodes: readonly ClusterNode[]): Promise<ClusterNode> {
  const { hostname } = new URL(url);
  const { address } = await lookup(hostname).catch(() => ({ address: hostname }));
  const found = nodes.find((node) => node.address === address || node.address === hostname);
  if (found !== undefined) return found;
  const list = nodes.map((node) => node.address).join(", ");
  throw new UserError(`engine.url: ${hostname} is no node of the cluster that has room for the server: ${list}`);
}
