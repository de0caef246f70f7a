/** --ray and --resources: runs as jobs of a Ray cluster, and the command by which its nodes are asked what they see. */
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { Command, Option } from "commander";
import { answerProbe, PROBE, pathsOf, probeNodes } from "../cluster/probe.ts";
import { openRay } from "../cluster/ray-client.ts";
import { type RemoteOutcome, type RemoteRun, trainRemotely } from "../cluster/remote-run.ts";
import { nodesWithRoom, readResources } from "../cluster/resources.ts";
import { startServerJob } from "../cluster/server-job.ts";
import type { Recipe } from "../recipes/schema.ts";
import type { StepInfo } from "../runs/reporter.ts";

export interface RayOptions {
  readonly ray?: string;
  readonly resources?: string;
}

export function rayOption(): Option {
  return new Option("--ray <address>", "train on a Ray cluster: its dashboard, http://head:8265");
}

export function resourcesOption(): Option {
  return new Option("--resources <list>", "with --ray: what a run takes of a node (default: cpus=1)");
}

export interface ClusterWork {
  /** Where jobs leave their output; all nodes must see it. */
  readonly jobs: string;
  /** What nodes must see besides: recipes with absolute paths. */
  readonly recipes: readonly unknown[];
  readonly onNotice: (text: string) => void;
  readonly signal: AbortSignal;
}

export interface Cluster {
  train(run: RemoteRun, onStep: (info: StepInfo) => void): Promise<RemoteOutcome>;
}

/** Asks the cluster and each of its nodes first. Throws UserError for what no run could succeed with. */
export async function openCluster(
  { ray: address, resources: list = "" }: RayOptions & { readonly ray: string },
  version: string,
  { jobs, recipes, onNotice, signal }: ClusterWork,
): Promise<Cluster> {
  const resources = readResources(list);
  const ray = openRay(address);
  const nodes = nodesWithRoom(resources, await ray.nodes());
  const viva = [process.execPath, ...process.execArgv, resolve(process.argv[1]!)];
  const nonce = randomBytes(4).toString("hex");
  let told = "";
  // All runs see at once that the head is away, and back.
  const onceEach = (text: string) => {
    if (text !== told) onNotice(text);
    told = text;
  };
  onNotice(`asking ${nodes.length} nodes of Ray at ${ray.url} what they see`);
  await probeNodes({ ray, nodes, viva, version, nonce, jobs, paths: [...new Set(recipes.flatMap(pathsOf))], signal });
  return {
    train: (run, onStep) =>
      trainRemotely(run, { ray, resources, viva, nonce, jobs, onStep, onNotice: onceEach, signal }),
  };
}

/** The server of a recipe that has one started on Ray; resolves to what stops it, or null where a recipe has none. */
export async function startRecipeServer(
  { url, server_job: job }: Recipe["engine"],
  onNotice: (text: string) => void,
  signal: AbortSignal,
): Promise<(() => Promise<void>) | null> {
  if (job === null || url === null) return null;
  const server = { url, command: job.command, resources: readResources(job.resources) };
  return startServerJob(server, { ray: openRay(job.ray), nonce: randomBytes(4).toString("hex"), onNotice, signal });
}

/** What a probe job runs; no help lists it. */
export function clusterProbeCommand(version: string): Command {
  return new Command(PROBE)
    .argument("<file>")
    .argument("<node>")
    .action((file: string, node: string) => answerProbe(file, node, version));
}
