/** Opens what some probes need beside the policy: an encoder, a judge, the untuned model. */
import type { PromptStyle } from "../answers/prompts.ts";
import type { Device } from "../core/device.ts";
import type { ProbeTools } from "../evaluate/index.ts";
import type { MaxTokensField } from "../io/chat-client.ts";
import { buildRewards, type Reward } from "../rewards/index.ts";
import { openCheckpoint } from "./checkpoint.ts";
import { openRewardServices } from "./reward-services.ts";
import type { SourceOptions } from "./sources.ts";

export interface ProbeToolOptions extends SourceOptions {
  /** Folder of a sentence encoder. */
  readonly encoder?: string;
  readonly judgeUrl?: string;
  readonly judgeModel?: string;
  /** The environment variable that holds the judge's key. */
  readonly judgeKeyEnv?: string;
  readonly judgeMaxTokensField?: MaxTokensField;
  /** Rationales with the verdicts of people. */
  readonly calibration: ProbeTools["calibration"];
  /** The model before tuning. */
  readonly untuned?: string;
  readonly device?: Device;
}

export type OpenedProbeTools = Omit<ProbeTools, "canQuantize"> & { close(): Promise<void> };

/** Throws UserError for what is named and cannot be had. `folder` is where a judge's replies are kept. */
export async function openProbeTools(
  o: ProbeToolOptions,
  prompt: PromptStyle,
  folder: string,
): Promise<OpenedProbeTools> {
  const services = openRewardServices(folder);
  const scorer = async (options: Readonly<Record<string, unknown>>): Promise<Reward> => {
    const [built] = await buildRewards({ semantic: { weight: 1, ...options } }, { style: prompt.style, services });
    return built!.reward;
  };
  try {
    const embedding =
      o.encoder === undefined
        ? null
        : await scorer({ scorer: "embedding", encoder: o.encoder, reference: "rationale" });
    const keyed = {
      ...(o.judgeKeyEnv === undefined ? {} : { api_key_env: o.judgeKeyEnv }),
      ...(o.judgeMaxTokensField === undefined ? {} : { max_tokens_field: o.judgeMaxTokensField }),
    };
    const judge =
      o.judgeUrl === undefined
        ? null
        : await scorer({ scorer: "judge", base_url: o.judgeUrl, model: o.judgeModel, ...keyed });
    const untuned = o.untuned === undefined ? null : await openCheckpoint(o.untuned, o);
    return {
      calibration: o.calibration,
      embedding,
      judge,
      untuned: untuned === null ? null : { policy: untuned.engine.policy, processor: untuned.processor, prompt },
      close: async () => {
        await untuned?.engine.close();
        await services.close();
      },
    };
  } catch (error) {
    await services.close();
    throw error;
  }
}
