/** The experiment trackers: names of `viva track --to` and of `track` in recipes. */
import { mlflow } from "./mlflow.ts";
import { tensorboard } from "./tensorboard.ts";
import type { Tracker } from "./tracker.ts";
import { trackio } from "./trackio.ts";
import { wandb } from "./wandb.ts";

export const trackers = { tensorboard, mlflow, trackio, wandb } satisfies Readonly<Record<string, Tracker>>;

export type TrackerName = keyof typeof trackers;
