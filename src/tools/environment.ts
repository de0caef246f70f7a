/**
 * What a policy can do between its turns. A step gives an observation for any call, never an exception for what a call says,
 * and equal calls about equal examples give equal observations.
 */
import type { Example, Observation, ToolCall, ToolSpec } from "../core/records.ts";
import { errorObservation, type Tool } from "./tool.ts";

export interface Environment {
  /** Offered to the policy; without any, a rollout is a plain one. */
  readonly tools: readonly ToolSpec[];
  /** The most turns of the policy in a completion, its answer included. */
  readonly maxTurns: number;
  step(example: Example, call: ToolCall): Promise<Observation>;
  /** Ends what it started, such as a server. */
  close(): Promise<void>;
}

/** Of processor time: work that a busy machine held up is waited for, so that its load changes no result. */
const SECONDS = 1;

/** An environment of this process's own tools. */
export function toolEnvironment(tools: readonly Tool[], maxTurns: number): Environment {
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  return {
    tools: tools.map(({ name, description, parameters }) => ({ name, description, parameters })),
    maxTurns,
    async step(example, call) {
      const tool = byName.get(call.name);
      if (tool === undefined) return errorObservation(`no such tool; there are ${[...byName.keys()].join(", ")}`);
      return limited(tool.run(example, call.arguments), tool.name);
    },
    close: async () => {},
  };
}

async function limited(work: Promise<Observation>, name: string): Promise<Observation> {
  const start = process.cpuUsage();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Observation>((resolve) => {
    timer = setInterval(() => {
      const { user, system } = process.cpuUsage(start);
      if ((user + system) / 1e6 >= SECONDS) resolve(errorObservation(`${name}: not done after ${SECONDS} s`));
    }, 1000 * SECONDS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearInterval(timer);
  }
}
