/**
 * Adversarial samples in supervised training (after arXiv 2101.04853; the form is ours): L = L(x) + λ L(x'), x' being the
 * batch with its images changed against the model as it is.
 */
import type { TokenBatch } from "../engine/engine.ts";
import { adversarialBatch } from "../engine/pgd.ts";
import type { TrainingContext } from "./context.ts";
import type { AdversarialSettings } from "./settings.ts";

/** Accumulates the gradient of λ L(x'); returns L(x'). */
export async function adversarialPass(
  { engine, processor }: TrainingContext,
  batch: TokenBatch,
  { lambda, ...o }: AdversarialSettings,
): Promise<number> {
  const attacked = await adversarialBatch(engine, processor, batch, o);
  const groups = attacked.groups.map((group) => ({
    ...group,
    completions: group.completions.map((completion) => ({
      ...completion,
      weight: (completion.weight as number) * lambda,
    })),
  }));
  const { loss } = await engine.forwardBackward({ ...attacked, groups });
  return loss / lambda;
}
