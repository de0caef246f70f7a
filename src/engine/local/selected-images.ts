/** The part of what a tower encoded that fewer images need: its backward pass then costs what theirs does. */
import type { Params } from "../../compiler/tensor.ts";
import { concatenated, float32, type TensorData } from "../../core/tensor-data.ts";
import type { AdapterPass } from "./adapter-feeds.ts";
import { type BlockStates, bytesOf, type Compute } from "./compute.ts";
import type { EncodedForTraining } from "./model-pass.ts";
import { type Frame, type VisionRun, visionFeeds } from "./vision-runner.ts";

/**
 * Of images that were encoded for training those with these content hashes, under the adapters that encoded them. What the
 * others kept goes back into the budget.
 */
export function selectImages(
  compute: Pick<Compute, "model" | "arrays">,
  { images, saving }: EncodedForTraining,
  wanted: ReadonlySet<string>,
  adapters: AdapterPass | null,
): EncodedForTraining {
  const runs = images.runs.flatMap((run) => {
    const selected = selectFrames(compute, run, ({ image }) => wanted.has(image.sha256), adapters);
    saving.budget.bytes += keptBytes(run) - (selected === null ? 0 : keptBytes(selected));
    return selected ?? [];
  });
  const features = new Map([...images.features].filter(([sha256]) => wanted.has(sha256)));
  return { images: { features, runs }, saving };
}

function selectFrames(
  compute: Pick<Compute, "model" | "arrays">,
  run: VisionRun,
  isWanted: (frame: Frame) => boolean,
  adapters: AdapterPass | null,
): VisionRun | null {
  const indices = run.frames.flatMap((frame, i) => (isWanted(frame) ? [i] : []));
  if (indices.length === run.frames.length) return run;
  if (indices.length === 0) return null;
  const frames = indices.map((i) => run.frames[i]!);
  const own = (t: TensorData) => rowsOfFrames(t, run.frames.length, indices);
  const { states, kept } = run.forward;
  const forward: BlockStates = {
    states: states.map(own),
    kept: kept.map((block) => block && mapValues(block, own)),
  };
  return { frames, feeds: visionFeeds(compute, frames, adapters), forward };
}

/** Whatever blocks take, leave and keep lies frame by frame: as many numbers for each. */
function rowsOfFrames({ shape, data }: TensorData, frames: number, indices: readonly number[]): TensorData {
  const [rows = 0, ...rest] = shape;
  if (rows % frames !== 0) throw new Error(`internal: ${rows} rows cannot be those of ${frames} frames`);
  const size = data.length / frames;
  const parts = indices.map((i) => (data as Float32Array).subarray(i * size, (i + 1) * size));
  return float32([(rows / frames) * indices.length, ...rest], concatenated(parts));
}

function keptBytes({ forward }: VisionRun): number {
  return forward.kept.reduce((total, block) => total + (block === undefined ? 0 : bytesOf(block)), 0);
}

function mapValues(tensors: Params<TensorData>, of: (t: TensorData) => TensorData): Params<TensorData> {
  return Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, of(t)]));
}
