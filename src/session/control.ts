/** An opened model under control: thoughts that end early, questions routed to experts; or neither. */

import { openRouter, readCaseIndex } from "../control/case-index.ts";
import { type ConfidenceScore, confidenceScores } from "../control/confidence.ts";
import { type RouteOptions, routeDefaults } from "../control/route.ts";
import { expertEngine, routedProcessor } from "../control/routed.ts";
import { stoppedDecode } from "../control/stop.ts";
import { requireDecode, stoppedPolicy } from "../control/stopped-policy.ts";
import type { StopOptions } from "../control/trial.ts";
import { UserError } from "../core/errors.ts";
import type { Processor } from "../core/processor.ts";
import type { LivePolicy, Policy, TrainingEngine } from "../engine/engine.ts";
import type { OpenedCheckpoint, PromptStyle } from "./checkpoint.ts";
import { hashCheckpoint, hashModel } from "./content-hashes.ts";
import { adapterOf, modelFolder } from "./model-folder.ts";
import type { SourceOptions } from "./sources.ts";

export { type ConfidenceScore, confidenceScores, type RouteOptions, routeDefaults, type StopOptions };

export interface ControlOptions {
  readonly stop?: StopOptions;
  readonly route?: { readonly index: string; readonly options: RouteOptions };
}

export interface ControlledModel {
  readonly policy: Pick<Policy, "sample" | "logProbs">;
  readonly processor: Processor;
  /** Absent where the engine answers whole batches alone. */
  readonly decode?: LivePolicy["decode"];
  /** What decides answers besides the model: answers under other control are not mixed with these. */
  readonly identity: Readonly<Record<string, string>>;
  /** Closes experts; the model stays open. */
  close(): Promise<void>;
}

/** Throws UserError where answers have no thought that could end. */
export function requireThoughts({ style }: Pick<PromptStyle, "style">): void {
  if (style === "think_answer") return;
  throw new UserError(`--stop: the prompt style ${style} asks for no thought: take think_answer or base`);
}

type Opened = Pick<OpenedCheckpoint, "engine" | "processor" | "base" | "folder">;

/** Throws UserError for experts of another model, an index of another tower, and an engine that cannot be controlled. */
export async function controlled(
  opened: Opened,
  { stop, route }: ControlOptions,
  o: SourceOptions = {},
): Promise<ControlledModel> {
  const routed = route === undefined ? null : await openRouted(opened, route, o);
  const { engine, processor } = routed ?? opened;
  const identity = {
    ...(stop === undefined ? {} : { stop: JSON.stringify(stop) }),
    ...(routed === null ? {} : routed.identity),
  };
  const close = async () => routed?.close();
  const { policy, decode } = engine;
  if (stop === undefined) return { policy, processor, ...(decode === undefined ? {} : { decode }), identity, close };
  return {
    policy: { ...policy, sample: stoppedPolicy(engine, processor, stop).sample },
    decode: stoppedDecode(requireDecode(engine, processor), stop),
    ...{ processor, identity, close },
  };
}

async function openRouted(
  opened: Opened,
  { index: path, options }: NonNullable<ControlOptions["route"]>,
  o: SourceOptions,
) {
  const { adapters } = opened.engine;
  if (adapters === undefined) {
    throw new UserError(
      "route: this engine holds no adapters beside a model, so questions cannot be routed: use engine local",
    );
  }
  const index = readCaseIndex(path);
  if ((await hashModel(opened.base)) !== index.model_sha256) {
    throw new UserError(
      `${path} was made with another model's vision tower than ${opened.base}: make it again with viva index ${opened.base}`,
    );
  }
  const experts = new Map<string, TrainingEngine>();
  const close = async () => {
    for (const expert of experts.values()) await expert.close();
    await tower.close();
  };
  const tower = await adapters.base();
  const hashes: string[] = [];
  try {
    for (const [name, where] of Object.entries(index.experts)) {
      const folder = await expertFolder(name, where, index.model_sha256, o);
      hashes.push(await hashCheckpoint(folder));
      experts.set(name, await adapters.load(folder));
    }
  } catch (error) {
    await close();
    throw error;
  }
  // The model without an adapter is asked as the tower's engine, whose images are encoded once for both.
  const own = opened.folder === opened.base ? tower : opened.engine;
  const { embed } = tower.policy;
  const maxPromptTokens = Math.floor(own.contextLength / 2);
  return {
    engine: expertEngine(own, experts),
    processor: routedProcessor(opened.processor, { route: openRouter(index, options), embed, maxPromptTokens }),
    identity: { route: JSON.stringify({ ...options, cases: index.cases.length, experts: hashes }) },
    close,
  };
}

/** The adapter folder of an expert, which must belong to the model of the index. */
export async function expertFolder(name: string, path: string, modelHash: string, o: SourceOptions): Promise<string> {
  const folder = await modelFolder(path, { ...o, key: `expert ${name}` });
  const adapter = await adapterOf(folder, o);
  if (adapter === null) throw new UserError(`expert ${name}: ${path} is a whole model: an expert is an adapter`);
  if ((await hashModel(adapter.base)) === modelHash) return folder;
  throw new UserError(
    `expert ${name}: ${path} is an adapter on ${adapter.base}, another model than the index was made with`,
  );
}
