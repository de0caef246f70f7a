/** The tools of all probes: opening those that are configured. */
import { UserError } from "../../core/errors.ts";
import type { ProbeName } from "../names.ts";
import { probes } from "./index.ts";
import type { Probe, ProbeTool, ToolServices } from "./probe.ts";

/** By probe, then by the probe's own name for it. */
export type OpenedProbeTools = Readonly<Partial<Record<ProbeName, Readonly<Record<string, unknown>>>>>;

interface DeclaredTool {
  readonly tool: ProbeTool;
  /** The probes that use it, and their name for it. */
  readonly of: readonly { readonly probe: ProbeName; readonly as: string }[];
}

/** Whether any of the probes uses the training split. */
export function readTraining(names: readonly ProbeName[]): boolean {
  return names.some((name) => (probes[name] as Probe).readsTraining);
}

/**
 * Checks and reads the given options of the named probes' tools; the returned function opens them. Throws UserError for
 * incomplete option groups, and for options of a probe that is not selected.
 */
export function prepareTools(
  names: readonly ProbeName[],
  given: Readonly<Record<string, string | undefined>>,
): (services: ToolServices) => Promise<OpenedProbeTools> {
  const wanted = declared().filter(({ tool, of }) => isGiven(tool, given, of, names));
  const prepared = wanted.map(({ tool, of }) => ({
    of,
    open: tool.prepare(given as Readonly<Record<string, string>>),
  }));
  return async (services) => {
    const opened: Partial<Record<ProbeName, Record<string, unknown>>> = {};
    for (const { of, open } of prepared) {
      const value = await open(services);
      for (const { probe, as } of of) opened[probe] = { ...opened[probe], [as]: value };
    }
    return opened;
  };
}

/** Every tool once, however many probes use it. */
function declared(): readonly DeclaredTool[] {
  const found = new Map<ProbeTool, DeclaredTool["of"]>();
  for (const [name, { tools = {} }] of Object.entries<Probe>(probes)) {
    for (const [as, tool] of Object.entries(tools)) {
      found.set(tool, [...(found.get(tool) ?? []), { probe: name as ProbeName, as }]);
    }
  }
  return [...found].map(([tool, of]) => ({ tool, of }));
}

function isGiven(
  { what, required, optional }: ProbeTool,
  given: Readonly<Record<string, string | undefined>>,
  of: DeclaredTool["of"],
  names: readonly ProbeName[],
): boolean {
  const spelled = Object.keys(required).map((name) => `--${name}`);
  const isThere = (name: string) => given[name] !== undefined;
  const count = Object.keys(required).filter(isThere).length;
  if (count > 0 && count < spelled.length) {
    throw new UserError(`${spelled.join(" and ")} belong together: give all or none`);
  }
  const more = Object.keys(optional).find(isThere);
  if (more !== undefined && count === 0) {
    throw new UserError(`--${more} is for ${what}: give ${spelled.join(" and ")} too`);
  }
  if (count > 0 && !of.some(({ probe }) => names.includes(probe))) {
    const probe = of.map(({ probe }) => probe).join(", ");
    throw new UserError(`${spelled[0]} is for the probe ${probe}, which --probe does not include`);
  }
  return count > 0;
}
