/** What a job asks of a node, and whether any node has it. */
import { UserError } from "../core/errors.ts";

export interface Resources {
  readonly cpus: number;
  readonly gpus: number;
  /** In 10⁹ bytes; null asks for none. */
  readonly memoryGb: number | null;
  /** Resources that the cluster's nodes were started with, by name. */
  readonly named: Readonly<Record<string, number>>;
}

/** A node that is alive, with all that it has, as Ray spells it: CPU, GPU, memory in bytes, names. */
export interface ClusterNode {
  readonly id: string;
  readonly address: string;
  readonly total: Readonly<Record<string, number>>;
}

/** Reads `cpus=4,gpus=0,memory_gb=8,NAME=1`; what is not named is 1 CPU and nothing else. Throws UserError. */
export function readResources(text: string): Resources {
  const found = new Map<string, number>();
  for (const part of text.split(",").filter((each) => each.trim() !== "")) {
    const [, name, amount] = /^\s*([A-Za-z_][\w.-]*)\s*=\s*(\d+(?:\.\d+)?)\s*$/.exec(part) ?? [];
    if (name === undefined) throw new UserError(`--resources ${text}: expected NAME=AMOUNT with commas between them`);
    if (found.has(name)) throw new UserError(`--resources ${text}: ${name} stands twice`);
    found.set(name, Number(amount));
  }
  const { cpus = 1, gpus = 0, memory_gb: memoryGb = null, ...named } = Object.fromEntries(found);
  return { cpus, gpus, memoryGb, named };
}

/** The nodes that could run a job that asks for so much. Throws UserError where there is none: it would wait for ever. */
export function nodesWithRoom(asked: Resources, nodes: readonly ClusterNode[]): readonly ClusterNode[] {
  const wanted = asRay(asked);
  const fits = ({ total }: ClusterNode) =>
    Object.entries(wanted).every(([name, amount]) => (total[name] ?? 0) >= amount);
  const fitting = nodes.filter(fits);
  if (fitting.length > 0) return fitting;
  const list = nodes.map(({ address, total }) => `${address}: ${describe(shownOf(total, wanted))}`);
  throw new UserError(
    `--resources: no node has ${describe(wanted)}; ${nodes.length === 0 ? "no node is alive" : `there are ${list.join("; ")}`}`,
  );
}

function asRay({ cpus, gpus, memoryGb, named }: Resources): Readonly<Record<string, number>> {
  return { CPU: cpus, GPU: gpus, memory: (memoryGb ?? 0) * 1e9, ...named };
}

function shownOf(total: Readonly<Record<string, number>>, wanted: object): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.keys(wanted).map((name) => [name, total[name] ?? 0]));
}

function describe(amounts: Readonly<Record<string, number>>): string {
  const shown = Object.entries(amounts).filter(([name, amount]) => name === "CPU" || amount > 0);
  return shown
    .map(([name, amount]) => (name === "memory" ? `${(amount / 1e9).toFixed(1)} GB` : `${amount} ${name}`))
    .join(", ");
}
