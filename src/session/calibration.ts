/** What pruning is calibrated with: rows of the supervised loss, seen by the model as it is. */
import { encodeQuestion } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import { permutation, randomKey } from "../core/random.ts";
import type { Example } from "../core/records.ts";
import { type Derivation, pruneMethods } from "../models/derivation.ts";
import { openModel } from "../models/index.ts";
import { linearLayers } from "../models/lora-targets.ts";
import { supervisedBatch } from "../train/sft.ts";
import type { OpenedCheckpoint } from "./checkpoint.ts";

/** Rows that are looked at (ours; Wanda takes 128 texts). */
const CALIBRATION_ROWS = 64;

type Opened = Pick<OpenedCheckpoint, "engine" | "processor" | "prompt" | "base">;
type Calibration = ReadonlyMap<string, Float32Array>;

/** Gives derivations what their method needs, measured once on training questions. Throws UserError. */
export function calibrator(opened: Opened, train: readonly Example[]): (derivation: Derivation) => Promise<Derivation> {
  const measured = new Map<string, Promise<Calibration>>();
  return async (derivation) => {
    if (derivation.kind !== "prune") return derivation;
    const { method } = derivation;
    const what = pruneMethods[method].calibrates;
    if (what === null) return derivation;
    if (train.length === 0) throw new UserError(`pruning by ${method} needs training questions to calibrate on`);
    const calibration = measured.get(method) ?? measure(what, opened, train);
    measured.set(method, calibration);
    return { ...derivation, calibration: await calibration };
  };
}

async function measure(
  what: "inputs" | "gradients",
  { engine, processor, prompt, base }: Opened,
  train: readonly Example[],
): Promise<Calibration> {
  const order = permutation(randomKey(0, "calibration"), train.length).slice(0, CALIBRATION_ROWS);
  const encoded = await Promise.all(
    Array.from(order, async (i) => {
      const example = train[i]!;
      return { example, prompt: await encodeQuestion(processor, example, prompt) };
    }),
  );
  const { batch } = await supervisedBatch(encoded, "answer", { processor, style: prompt.style });
  const { inputNorms, gradients } = engine;
  if (inputNorms === undefined || gradients === undefined) {
    throw new UserError("pruning that is calibrated needs the model on this machine");
  }
  if (what === "inputs") return inputNorms(batch.groups);
  const names = linearLayers(openModel(base)).map((layer) => `${layer}.weight`);
  return (await gradients(batch, names)).gradients;
}
