/**
 * What a server does where the API leaves it open, found by trying on models that are thrown away. Each answer is one of the
 * few that viva can work with; any other is a UserError, since what is not understood would train something else.
 */
import type { CompletionDecoder, EngineDemands, EngineFeature } from "../backend.ts";
import { ServerRefusal } from "./connection.ts";
import { CARRIER, toDatum } from "./datum.ts";
import type { Dialect } from "./dialect.ts";
import { probeGradients } from "./probe-gradients.ts";
import { imageFault } from "./probe-images.ts";
import { decayFault, type OptimiserFindings, probeOptimiser } from "./probe-optimiser.ts";
import { probeSampler, type SamplerFindings } from "./probe-sampler.ts";
import { largestDifference, misfit, normOf, probePrompt, probeStep, scoreOf, sumOf, wholeWith } from "./probe-tools.ts";
import type { RemoteModel } from "./remote-model.ts";
import type { RemoteSession } from "./session.ts";

export interface ProbeOptions {
  readonly baseModel: string;
  readonly rank: number;
  readonly seed: number;
  readonly decoder: CompletionDecoder;
  readonly images: EngineDemands["images"];
  /** Whether weight decay is asked for: where it reaches other clients' models, trying it would too. */
  readonly decays: boolean;
}

export interface ServerFindings extends OptimiserFindings, SamplerFindings {
  readonly dialect: Dialect;
  /** What the server says of its adapters, such as their alpha. */
  readonly lora: Readonly<Record<string, unknown>>;
  /** Largest difference of log-probs between a model and its state loaded into a new one. */
  readonly loadDifference: number;
  /** Of what a run may ask, what this server cannot do, and why. */
  readonly cannot: Readonly<Partial<Record<EngineFeature, string>>>;
}

/** A state that is loaded differs at most so much, in log-probs, from the one that was saved: rounding of weights stored in 16 bits. */
const SAME_STATE = 0.02;

/** Some sixty calls: seconds, and half a minute more where the server compiles first. Throws UserError. */
export async function probeServer(session: RemoteSession, o: ProbeOptions): Promise<ServerFindings> {
  const create = () => session.createModel(o);
  let model = await create();
  const next = async (state: string, optimizer: boolean) => {
    await model.unload();
    model = await create();
    await model.loadState(state, optimizer);
    return model;
  };
  try {
    const { lora } = model;
    const { loss, logProbs, ...sums } = await probeGradients(model);
    const item = toDatum(wholeWith(logProbs), 1);
    await model.forwardBackward([item], loss);
    await model.unload();
    model = await create();
    const dialect = { ...sums, inheritsGradients: (await normOf(model, loss)) > 0 };

    const { tokenIds } = wholeWith(logProbs);
    const scored = () => scoreOf(model, { prompt: probePrompt, tokenIds, loss });
    const before = await scored();
    await model.forwardBackward([item], loss);
    await model.optimStep(probeStep);
    const after = await scored();
    if (sumOf(after) <= sumOf(before)) throw misfit("an update lowers the log-probs that it should raise");
    const sampler = await probeSampler(model, loss);
    const state = await model.saveState("probe");
    const noRoom = await roomFault(create);
    const reaches = o.decays && noRoom === null ? await decayFault(create, scored, before) : null;
    if (reaches !== null) await next(state, true);
    const decays = o.decays && reaches === null;
    const optimiser = await probeOptimiser(model, (optimizer) => next(state, optimizer), {
      loss,
      before: after,
      decays,
    });
    await next(state, true);
    const loadDifference = largestDifference(await scored(), after);
    if (loadDifference > SAME_STATE) {
      throw misfit(`a state that was saved and loaded gives other log-probs, by ${loadDifference.toPrecision(2)}`);
    }
    const images = o.images === null ? null : await imageFault(model, o.images, o.decoder, loss);
    const moments = optimiser.resetsMoments ? null : "the server keeps the optimiser's moments from stage to stage";
    const faults = { reference: noRoom, later_stage: moments, images, weight_decay: reaches };
    const cannot = Object.fromEntries(Object.entries(faults).filter(([, fault]) => fault !== null));
    return { dialect, lora, loadDifference, ...sampler, ...optimiser, cannot };
  } catch (error) {
    if (!(error instanceof ServerRefusal)) throw error;
    throw misfit(`it refuses ${error.message}`);
  } finally {
    await leave(model);
  }
}

/** Why a second model cannot be there beside the first; null where it can. */
async function roomFault(create: () => Promise<RemoteModel>): Promise<string | null> {
  try {
    await (await create()).unload();
    return null;
  } catch (error) {
    if (!(error instanceof ServerRefusal)) throw error;
    return `the server has no room for a second model (${error.message})`;
  }
}

/** Without a gradient that the next model would begin with. */
async function leave(model: RemoteModel): Promise<void> {
  try {
    await normOf(model, CARRIER);
    await model.unload();
  } catch {} // it has gone already
}
