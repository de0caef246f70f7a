/** The numbers of one optimiser step, of a model or of what is trained beside it. */
import type { UpdateMaskName } from "../nn/update-masks.ts";
import type { DeviceTraffic } from "../runtime/device-memory.ts";

export interface OptimStep {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Applied to matrices only; norms and biases are never decayed. */
  readonly weightDecay: number;
  /** 0 disables clipping. */
  readonly maxGradNorm: number;
  /** Holds the model's own weights to where they were, each as its importance says; adapters are refused. Default none. */
  readonly importanceMasking?: UpdateMaskName;
}

export interface OptimResult {
  /** Before clipping. */
  readonly gradNorm: number;
  /** What crossed since the step before, where arrays lie on a device. */
  readonly device?: DeviceTraffic;
}

/** As metrics of a step; none where nothing is on a device. */
export function deviceMetrics(updates: readonly OptimResult[]): Readonly<Record<string, number>> {
  const used = updates.flatMap(({ device }) => device ?? []);
  if (used.length === 0) return {};
  const total = (of: (one: DeviceTraffic) => number) => used.reduce((sum, one) => sum + of(one), 0);
  return {
    "device/bytes_to": total(({ bytesTo }) => bytesTo),
    "device/bytes_from": total(({ bytesFrom }) => bytesFrom),
  };
}
