/**
 * Ray's job server over HTTP. It is asked with node:http, since it answers 405 to fetch, whose sec-fetch headers look like a
 * browser's. What it says of a job is a hint: its list is empty after the head was started again.
 */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { messageOf, RunError, UserError } from "../core/errors.ts";
import type { ClusterNode, Resources } from "./resources.ts";

export type JobStatus = "PENDING" | "RUNNING" | "SUCCEEDED" | "FAILED" | "STOPPED";

/** What the server says of a job: `unknown` for one that it has no record of, `away` where it does not answer. */
export type JobView =
  | { readonly state: JobStatus; readonly message: string }
  | { readonly state: "unknown" | "away"; readonly message: string };

/** Whether the job waits for its turn or runs. */
export const isAtWork = ({ state }: JobView) => state === "PENDING" || state === "RUNNING";

export interface Job {
  /** Used once, ever. */
  readonly id: string;
  /** A command for the shell. */
  readonly entrypoint: string;
  readonly resources: Resources;
  /** Runs on this node and no other. */
  readonly node?: string;
}

export interface RayClient {
  readonly url: string;
  /** Null once the job is taken, else why the server took none yet; throws RunError where it refuses the job. */
  submit(job: Job): Promise<string | null>;
  look(id: string): Promise<JobView>;
  /** Asks for a job's end; a job that is still pending may begin all the same. */
  stop(id: string): Promise<void>;
  /** Nodes that are alive. Throws UserError where no job server answers there. */
  nodes(): Promise<readonly ClusterNode[]>;
}

/** Seconds until an answer that does not come is given up. */
const ANSWER_MS = 20_000;
/** Seconds that a job has after it was asked to stop: for a step to end and a checkpoint to be written. */
const STOP_SECONDS = 120;

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

export function openRay(address: string, env: Readonly<Record<string, string | undefined>> = process.env): RayClient {
  const url = readAddress(address);
  const ask = (method: string, path: string, body?: object) => askServer(new URL(path, url), method, body, env);
  return {
    url: url.origin,
    async submit({ id, entrypoint, resources: { cpus, gpus, memoryGb, named }, node }) {
      const reply = await ask("POST", "/api/jobs/", {
        submission_id: id,
        entrypoint,
        entrypoint_num_cpus: cpus,
        entrypoint_num_gpus: gpus,
        ...(memoryGb === null ? {} : { entrypoint_memory: Math.ceil(memoryGb * 1e9) }),
        entrypoint_resources: named,
        ...(node === undefined ? {} : { entrypoint_label_selector: { "ray.io/node-id": node } }),
        runtime_env: { env_vars: { RAY_JOB_STOP_WAIT_TIME_S: String(STOP_SECONDS) } },
      }).catch((error: unknown): Reply => ({ status: 503, body: messageOf(error) }));
      // The answer to an earlier try may have been lost, not the job.
      if (reply.status < 300 || /already exists|already been submitted/i.test(String(reply.body))) return null;
      if (isAway(reply)) return lastLine(reply);
      throw new RunError(`Ray refuses the job ${id}: ${lastLine(reply)}`);
    },
    async look(id) {
      try {
        const reply = await ask("GET", `/api/jobs/${encodeURIComponent(id)}`);
        if (reply.status === 404) return { state: "unknown", message: "Ray has no record of it" };
        if (reply.status >= 300) return { state: "away", message: lastLine(reply) };
        const { status, message } = reply.body as { readonly status: JobStatus; readonly message?: string };
        return { state: status, message: message ?? "" };
      } catch (error) {
        return { state: "away", message: messageOf(error) };
      }
    },
    async stop(id) {
      await ask("POST", `/api/jobs/${encodeURIComponent(id)}/stop`).catch(() => null);
    },
    async nodes() {
      let reply: Reply;
      try {
        reply = await ask("GET", "/api/v0/nodes?detail=1&limit=10000");
      } catch (cause) {
        throw new UserError(`--ray ${url.origin}: no job server of Ray answers there: ${messageOf(cause)}`, { cause });
      }
      if (reply.status >= 300) throw new UserError(`--ray ${url.origin}: ${lastLine(reply)}`);
      return nodesOf(reply.body);
    },
  };
}

function readAddress(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url !== null && (url.protocol === "http:" || url.protocol === "https:")) return url;
  throw new UserError(`--ray ${address}: expected the address of Ray's dashboard, such as http://head:8265`);
}

function askServer(
  url: URL,
  method: string,
  body: object | undefined,
  env: Readonly<Record<string, string | undefined>>,
) {
  const text = body === undefined ? "" : JSON.stringify(body);
  const token = env["RAY_AUTH_TOKEN"];
  const headers = {
    ...(body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
    ...(token === undefined || token === "" ? {} : { authorization: `Bearer ${token}` }),
  };
  return new Promise<Reply>((resolve, reject) => {
    const open = url.protocol === "https:" ? httpsRequest : httpRequest;
    const asking = open(url, { method, headers, timeout: ANSWER_MS }, (response) =>
      readReply(response, resolve, reject),
    );
    asking.on("timeout", () => asking.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)));
    asking.on("error", reject).end(text);
  });
}

function readReply(response: IncomingMessage, resolve: (reply: Reply) => void, reject: (error: Error) => void): void {
  let text = "";
  response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  response.on("error", reject).on("end", () => resolve({ status: response.statusCode ?? 0, body: parsed(text) }));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** While its head starts, and while it loses a node, the server answers 5xx. */
const isAway = ({ status }: Reply) => status >= 500;

/** Ray sends a Python traceback, whose last line is the reason. */
function lastLine({ status, body }: Reply): string {
  const text = typeof body === "string" ? body.trim().split("\n").at(-1)! : JSON.stringify(body);
  return `${status} ${text.slice(0, 300)}`;
}

function nodesOf(body: unknown): readonly ClusterNode[] {
  const { data } = body as { data?: { result?: { result?: readonly Record<string, unknown>[] } } };
  return (data?.result?.result ?? [])
    .filter(({ state }) => state === "ALIVE")
    .map(({ node_id, node_ip, resources_total }) => {
      return {
        id: String(node_id),
        address: String(node_ip),
        total: (resources_total ?? {}) as Record<string, number>,
      };
    });
}
