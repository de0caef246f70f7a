/** Before anything runs: every node that could take a job must start viva and see the folders, under the same paths. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../core/errors.ts";
import { shellWord } from "../core/shell-word.ts";
import { replaceFile } from "../runs/durable.ts";
import type { RayClient } from "./ray-client.ts";
import type { ClusterNode } from "./resources.ts";

/** The name of the command that a probe job runs. */
export const PROBE = "cluster-probe";

interface ProbeQuestion {
  /** Must be there. */
  readonly paths: readonly string[];
}

/** What a node said of itself. */
interface ProbeAnswer {
  readonly version: string;
  readonly missing: readonly string[];
}

export interface ProbeOptions {
  readonly ray: RayClient;
  readonly nodes: readonly ClusterNode[];
  readonly viva: readonly string[];
  readonly version: string;
  readonly nonce: string;
  readonly jobs: string;
  readonly paths: readonly string[];
  readonly signal: AbortSignal;
}

/** A node that starts a job takes seconds; one that starts none in this time is told of. */
const LONGEST_MS = 180_000;

/** Throws UserError that names the node and what it lacks. */
export async function probeNodes(o: ProbeOptions): Promise<void> {
  mkdirSync(o.jobs, { recursive: true });
  const file = join(o.jobs, `probe-${o.nonce}.json`);
  replaceFile(file, JSON.stringify({ paths: o.paths } satisfies ProbeQuestion));
  await Promise.all(o.nodes.map((node) => probeNode(node, file, o)));
}

async function probeNode({ id: node, address }: ClusterNode, file: string, o: ProbeOptions): Promise<void> {
  const { ray, signal } = o;
  const id = `viva-probe-${o.nonce}-${node.slice(0, 12)}`;
  const entrypoint = `exec ${[...o.viva, PROBE, file, node].map(shellWord).join(" ")}`;
  const resources = { cpus: 0, gpus: 0, memoryGb: null, named: {} };
  const started = performance.now();
  const isLate = () => performance.now() - started > LONGEST_MS;
  for (;;) {
    const refused = await ray.submit({ id, entrypoint, resources, node });
    if (refused === null) break;
    if (isLate()) throw new UserError(`--ray ${ray.url}: Ray takes no job: ${refused}`);
    await sleep(1000, undefined, { signal });
  }
  for (;;) {
    const answer = readAnswer(answerFile(file, node));
    if (answer !== null) return judge(answer, address, o.version);
    const { state, message } = await ray.look(id);
    if (state === "FAILED" || state === "STOPPED" || state === "SUCCEEDED") {
      const late = await seenLate(answerFile(file, node));
      if (late !== null) return judge(late, address, o.version);
      throw new UserError(
        `node ${address} of Ray cannot start viva, or does not see ${o.jobs}: ${lastLine(message)}; Node, viva and the run's folder must lie at the same paths on all nodes`,
      );
    }
    if (isLate()) throw new UserError(`node ${address} of Ray started no job within ${LONGEST_MS / 1000} s (${state})`);
    await sleep(500, undefined, { signal });
  }
}

/** Network file systems show a file that another machine wrote after a moment. */
async function seenLate(file: string): Promise<ProbeAnswer | null> {
  for (let tries = 0; tries < 20; tries++) {
    const answer = readAnswer(file);
    if (answer !== null) return answer;
    await sleep(250);
  }
  return null;
}

function judge({ version, missing }: ProbeAnswer, address: string, own: string): void {
  if (version !== own) throw new UserError(`node ${address} of Ray has viva ${version}, here is ${own}`);
  if (missing.length > 0) throw new UserError(`node ${address} of Ray does not see ${missing.slice(0, 3).join(", ")}`);
}

/** The node's side: answers beside the question's file. */
export function answerProbe(file: string, node: string, version: string): void {
  const { paths } = JSON.parse(readFileSync(file, "utf8")) as ProbeQuestion;
  const answer: ProbeAnswer = { version, missing: paths.filter((path) => !existsSync(path)) };
  replaceFile(answerFile(file, node), JSON.stringify(answer));
}

/** Every file and folder that is here and that a recipe names by an absolute path. */
export function pathsOf(value: unknown): readonly string[] {
  if (typeof value === "string") return isAbsolute(value) && existsSync(value) ? [value] : [];
  if (typeof value !== "object" || value === null) return [];
  return [...new Set(Object.values(value).flatMap(pathsOf))];
}

const answerFile = (file: string, node: string) => `${file}.${node.slice(0, 12)}`;

function readAnswer(file: string): ProbeAnswer | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as ProbeAnswer) : null;
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)!.slice(0, 300);
}
