/** The ways of federated training: how adapters are averaged, and what of them sites train. */
import type { AverageName } from "../export/methods.ts";

export interface FederationMode {
  readonly average: AverageName;
  /** For `model.freeze` of the sites. */
  readonly freeze: readonly string[];
}

/** By their names in federation files. */
export const modes = {
  fedavg: { average: "fedavg", freeze: [] },
  fedex: { average: "fedex", freeze: [] },
  svd: { average: "svd", freeze: [] },
  ffa: { average: "fedavg", freeze: ["lora_A"] }, // FFA-LoRA, arXiv 2403.12313: with one A the average of B is exact
} satisfies Readonly<Record<string, FederationMode>>;

export type ModeName = keyof typeof modes;
