/** The models in training: each an adapter on the one base, with gradients, moments and a sequence of requests of its own. */
import { randomInt } from "node:crypto";
import { UserError } from "../../core/errors.ts";
import type { AdapterHost, TrainingEngine } from "../../engine/engine.ts";
import type { LoraOptions } from "../../models/lora.ts";
import {
  type Datum,
  encodeForwardBackwardOutput,
  type ForwardBackwardRequest,
  type requests,
} from "../../tinker/index.ts";
import { type CheckedDatum, checkDatum, groupDatums, withSequenceRatio } from "./batch.ts";
import type { Result } from "./futures.ts";
import type { InputEncoder } from "./input.ts";
import { type ChosenLoss, chooseLoss, scoring, withoutMarks } from "./losses.ts";
import { Answered, Sequence } from "./sequence.ts";

export type LoraConfig = ReturnType<typeof requests.loraConfig.parse>;

export type ModelMetadata = ReturnType<typeof requests.createModel.parse>["user_metadata"];

export interface TrainedModel {
  readonly id: string;
  readonly session: string;
  readonly metadata: ModelMetadata;
  readonly lora: LoraConfig;
  readonly engine: TrainingEngine;
}

/** A model that is being made, or is there: what is submitted for it waits for it. */
export interface ModelEntry {
  readonly id: string;
  readonly session: string;
  /** What its client said of it. */
  readonly metadata: ModelMetadata;
  /** When it was asked for. */
  readonly made: Date;
  readonly lora: LoraConfig;
  readonly ready: Promise<TrainedModel>;
  readonly sequence: Sequence;
  /** Request ids by the requests' numbers. */
  readonly answered: Answered<string>;
}

/** What alpha is on hosted Tinker and in SkyRL: updates are scaled by 32 / rank. */
const LORA_ALPHA = 32;
const ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"];
const MLP = ["gate_proj", "up_proj", "down_proj"];

/**
 * Adapters on the linear layers of the language model. The output layer can have none (`train_unembed` does nothing), and
 * the vision tower stays as it is.
 */
export function loraOptions({ rank, train_attn, train_mlp }: LoraConfig): LoraOptions {
  const layers = [...(train_attn ? ATTENTION : []), ...(train_mlp ? MLP : [])];
  if (layers.length === 0) throw new UserError("lora_config: train_attn or train_mlp must be true");
  const target_modules = `.*\\b(language_model|text_model)\\..*\\.(${layers.join("|")})`;
  return { r: rank, lora_alpha: LORA_ALPHA, lora_dropout: 0, target_modules };
}

export class Models {
  readonly #host: AdapterHost;
  readonly #most: number;
  readonly #entries = new Map<string, ModelEntry>();

  constructor(host: AdapterHost, most: number) {
    this.#host = host;
    this.#most = most;
  }

  get size(): number {
    return this.#entries.size;
  }

  get all(): readonly ModelEntry[] {
    return [...this.#entries.values()];
  }

  /** Begins to make a model; a failure shows where the model is awaited, and removes it. */
  create(
    { id, session, lora, metadata }: Pick<ModelEntry, "id" | "session" | "lora" | "metadata">,
    folder: string | null = null,
  ): ModelEntry {
    if (this.#entries.size >= this.#most) {
      throw new UserError(
        `there are ${this.#entries.size} models in training, no more are taken: close a client that is done`,
      );
    }
    const open = async (): Promise<TrainedModel> => {
      const seed = lora.seed ?? randomInt(2 ** 31);
      const engine = await this.#host.open({ lora: loraOptions(lora), seed, folder });
      return { id, session, metadata, lora, engine };
    };
    const ready = open();
    ready.catch(() => this.#entries.delete(id));
    const entry = {
      ...{ id, session, metadata, made: new Date(), lora, ready },
      ...{ sequence: new Sequence(), answered: new Answered<string>() },
    };
    this.#entries.set(id, entry);
    return entry;
  }

  /** Throws UserError for a model that is not there. */
  get(id: string): ModelEntry {
    const entry = this.#entries.get(id);
    if (entry !== undefined) return entry;
    throw new UserError(`there is no model ${id.slice(0, 100)}: it was unloaded, or its session has ended`);
  }

  ofSession(session: string): readonly string[] {
    return this.all.filter((entry) => entry.session === session).map(({ id }) => id);
  }

  /** Frees a model once its requests are done. */
  async unload(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    if (entry === undefined) return;
    await entry.sequence.idle();
    const model = await entry.ready.catch(() => null);
    await model?.engine.close();
  }

  async unloadSession(session: string): Promise<void> {
    for (const id of this.ofSession(session)) await this.unload(id);
  }
}

/** Loss, log-probs and, unless it is forward only, gradients of datums. */
export async function forwardBackward(
  { engine }: TrainedModel,
  request: ForwardBackwardRequest,
  encoder: InputEncoder,
): Promise<Result> {
  const chosen = chooseLoss(request.lossFn, request.lossConfig);
  const datums: CheckedDatum[] = [];
  for (const [i, datum] of request.data.entries()) datums.push(await readDatum(datum, i, chosen, encoder));
  if (chosen.reads.includes("sequence_ratio_mask")) {
    const { groups, apart } = groupDatums(datums);
    const present = apart((await engine.policy.logProbs(groups, scoring)).logProbs);
    for (const [i, datum] of datums.entries()) datums[i] = withSequenceRatio(datum, present[i]!);
  }
  const { groups, apart } = groupDatums(datums);
  const scores = request.forwardOnly
    ? await engine.policy.logProbs(groups, scoring)
    : await engine.forwardBackward({ groups, scoring, loss: chosen.loss });
  const outputs = apart(scores.logProbs.map(withoutMarks)).map((logProbs, i) => ({
    logprobs: logProbs,
    elementwise_loss: lossOf(datums[i]!, logProbs, chosen),
  }));
  const loss = outputs.reduce((total, { elementwise_loss }) => total + elementwise_loss.reduce((a, b) => a + b, 0), 0);
  return { bytes: encodeForwardBackwardOutput({ outputs, metrics: { "loss:sum": loss } }) };
}

async function readDatum(datum: Datum, i: number, chosen: ChosenLoss, encoder: InputEncoder): Promise<CheckedDatum> {
  const where = `data[${i}]`;
  return checkDatum(datum, await encoder.encode(datum.chunks, `${where}.model_input`), chosen, where);
}

/** Each token's weight times its loss. */
function lossOf({ weights, advantages, oldLogProbs }: CheckedDatum, logProbs: Float32Array, { value }: ChosenLoss) {
  return logProbs.map((logProb, i) => {
    if (weights[i] === 0) return 0;
    return weights[i]! * value({ logProb, oldLogProb: oldLogProbs[i]!, advantage: advantages[i]! });
  });
}

export async function optimStep(
  { engine }: TrainedModel,
  adam: ReturnType<typeof requests.adamParams.parse>,
): Promise<Result> {
  const { gradNorm } = await engine.optimStep({
    learningRate: adam.learning_rate,
    beta1: adam.beta1,
    beta2: adam.beta2,
    epsilon: adam.eps,
    weightDecay: adam.weight_decay,
    maxGradNorm: adam.grad_clip_norm,
  });
  if (!Number.isFinite(gradNorm)) {
    throw new UserError("the gradient is not finite: this step changed nothing, and the gradient is gone");
  }
  return {
    json: { type: "optim_step", metrics: { "grad_norm:mean": gradNorm, "learning_rate:mean": adam.learning_rate } },
  };
}
