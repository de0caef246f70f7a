/** Opens the tools of probes: rewards with the services of a run, checkpoints as scorers. */
import type { PromptStyle } from "../answers/prompts.ts";
import type { Device } from "../core/device.ts";
import type { OpenedProbeTools, Scorer, ToolServices } from "../evaluate/index.ts";
import { buildRewards } from "../rewards/index.ts";
import { openCheckpoint } from "./checkpoint.ts";
import { openRewardServices } from "./reward-services.ts";
import type { SourceOptions } from "./sources.ts";

export interface ProbeToolOptions extends SourceOptions {
  readonly device?: Device;
  /** How questions are put, to the policy and to scorers. */
  readonly prompt: PromptStyle;
  /** Where a judge's replies are kept. */
  readonly folder: string;
}

/** What `open` opens with a session's services, and how to close it; throws UserError for what cannot be had. */
export async function openProbeTools(
  open: (services: ToolServices) => Promise<OpenedProbeTools>,
  { prompt, folder, ...source }: ProbeToolOptions,
): Promise<{ readonly tools: OpenedProbeTools; close(): Promise<void> }> {
  const services = openRewardServices(folder);
  const engines: { close(): Promise<void> }[] = [];
  const close = async () => {
    for (const engine of engines) await engine.close();
    await services.close();
  };
  try {
    const tools = await open({
      async openReward(reward, options) {
        const spec = { [reward]: { weight: 1, ...options } };
        const [built] = await buildRewards(spec, { style: prompt.style, services });
        return built!.reward;
      },
      async openScorer(checkpoint): Promise<Scorer> {
        const { engine, processor } = await openCheckpoint(checkpoint, source);
        engines.push(engine);
        return { policy: engine.policy, processor, prompt };
      },
    });
    return { tools, close };
  } catch (error) {
    await close();
    throw error;
  }
}
