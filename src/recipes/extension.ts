/** More steps for a run that resumes: the one change of its recipe that leaves the steps already done as they were. */
import { UserError } from "../core/errors.ts";
import type { Recipe } from "./schema.ts";

/** A longer last stage. */
export interface Extension {
  /** The recipe's key, such as "stages.1.steps". */
  readonly key: string;
  readonly from: number;
  readonly to: number;
}

/** How a run's recipe is to be changed; null for not at all. UserError that names the first key that cannot be changed. */
export function extensionOf(own: Recipe, asked: Recipe): Extension | null {
  const changed = differences(own, asked);
  if (changed.length === 0) return null;
  const last = own.stages.length - 1;
  const isLength = ({ key }: Difference) => key === `stages.${last}.steps` || key === `stages.${last}.epochs`;
  const other = changed.find((difference) => !isLength(difference));
  if (other !== undefined) {
    throw new UserError(
      `${other.key}: a run keeps its recipe, and this differs from it; on --resume only more steps of its last stage can be set, so start a new run`,
    );
  }
  const { key, from, to } = changed[0]!;
  if (changed.length > 1 || typeof from !== "number" || typeof to !== "number" || to <= from) {
    throw new UserError(`${key}: a run that resumes can only have more of it than the ${from} it has`);
  }
  const schedule = own.stages[last]!.lr_scheduler_type;
  if (schedule !== "constant" && schedule !== "constant_with_warmup") {
    throw new UserError(
      `${key}: lr_scheduler_type ${schedule} spreads over the whole stage, so with more steps those done would have had another learning rate; start a new run`,
    );
  }
  if (own.stages[last]!.warmup_steps % 1 > 0) {
    throw new UserError(
      `${key}: warmup_steps below 1 is a share of all steps, so with more steps those done would have had another learning rate; start a new run`,
    );
  }
  return { key, from, to };
}

interface Difference {
  readonly key: string;
  readonly from: unknown;
  readonly to: unknown;
}

function differences(from: unknown, to: unknown, path: readonly string[] = []): readonly Difference[] {
  const isTree = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === "object" && value !== null;
  if (!isTree(from) || !isTree(to)) return Object.is(from, to) ? [] : [{ key: path.join("."), from, to }];
  const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])];
  return keys.flatMap((key) => differences(from[key], to[key], [...path, key]));
}
