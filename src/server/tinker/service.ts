/**
 * What the endpoints do, free of HTTP. Sessions own models and samplers, and end when their client falls silent; checkpoints
 * outlive them and the server.
 */
import { randomInt, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as z from "zod";
import { UserError } from "../../core/errors.ts";
import type { TrainingEngine } from "../../engine/engine.ts";
import { type Chunk, encodeSampleResponse, type ForwardBackwardRequest, type requests } from "../../tinker/index.ts";
import { ApiError } from "../api-error.ts";
import type { LiveRun } from "./checkpoint-routes.ts";
import { type Checkpoint, type CheckpointKind, Checkpoints, endIn } from "./checkpoints.ts";
import { Futures, type Result } from "./futures.ts";
import { createInputEncoder, type InputEncoder } from "./input.ts";
import { forwardBackward, type ModelEntry, Models, optimStep, type TrainedModel } from "./models.ts";
import { type Sampler, Samplers } from "./samplers.ts";
import { drawSamples } from "./sampling.ts";
import type { TinkerLimits, TinkerModel } from "./served-model.ts";
import { Sessions } from "./sessions.ts";

export interface TinkerServiceOptions {
  readonly model: TinkerModel;
  readonly limits: TinkerLimits;
  /** Where checkpoints are kept. */
  readonly store: string;
  readonly onFailure: (error: unknown) => void;
}

type Body<Schema extends z.ZodType> = z.output<Schema>;

/** Snapshots without a name that a session keeps; older ones are dropped. */
const KEPT_SNAPSHOTS = 32;

export class TinkerService {
  readonly model: TinkerModel;
  readonly limits: TinkerLimits;
  readonly checkpoints: Checkpoints;
  readonly futures: Futures;
  readonly #models: Models;
  readonly #encoder: InputEncoder;
  readonly #sessions: Sessions;
  readonly #samplers: Samplers;
  readonly #snapshots = mkdtempSync(join(tmpdir(), "viva-tinker-"));
  readonly #timer: NodeJS.Timeout;
  readonly #onFailure: (error: unknown) => void;

  constructor({ model, limits, store, onFailure }: TinkerServiceOptions) {
    this.model = model;
    this.limits = limits;
    this.checkpoints = new Checkpoints(store);
    this.futures = new Futures(limits.maxPending, onFailure);
    this.#models = new Models(model.adapters, limits.maxModels);
    this.#samplers = new Samplers(model.engine, model.adapters);
    this.#sessions = new Sessions(limits.maxSessions);
    this.#encoder = createInputEncoder(model.processor, limits.maxImagePixels, model.engine.contextLength);
    this.#onFailure = onFailure;
    this.#timer = setInterval(() => this.#endSilent(), 1000);
    this.#timer.unref();
  }

  get load() {
    return { sessions: this.#sessions.size, models: this.#models.size, pending: this.futures.pending };
  }

  createSession({ user_metadata, display_name }: Body<typeof requests.createSession>) {
    const { id } = this.#sessions.create({ user_metadata, display_name });
    return {
      type: "create_session",
      session_id: id,
      info_message:
        "viva trains adapters on attention and MLP layers of the language model; train_unembed has no effect",
      warning_message: null,
      error_message: null,
    };
  }

  heartbeat({ session_id }: Body<typeof requests.sessionHeartbeat>) {
    this.#sessions.get(session_id);
    return { type: "session_heartbeat" };
  }

  get sessionIds(): readonly string[] {
    return this.#sessions.ids;
  }

  /** Throws ApiError (404) for one that is not there. */
  session(id: string) {
    const { about } = this.#sessions.find(id);
    return { training_run_ids: this.#models.ofSession(id), sampler_ids: this.#samplers.ofSession(id), ...about };
  }

  /** Its client needs a session no more. Throws ApiError (404) for one that is not there. */
  finish(id: string): void {
    this.#sessions.find(id);
    void this.#end(id).catch(this.#onFailure);
  }

  createModel(body: Body<typeof requests.createModel>) {
    const session = this.#sessions.get(body.session_id);
    const id = modelId(body.session_id, body.model_seq_id);
    const request_id = session.models.once(body.model_seq_id, () =>
      this.futures.submit(session.id, async () => {
        this.#requireBase(body.base_model);
        const lora = body.lora_config ?? { rank: 32, train_attn: true, train_mlp: true, train_unembed: true };
        const asked = { id, session: session.id, lora, metadata: body.user_metadata };
        const { lora: made } = await this.#models.create(asked).ready;
        return { json: { type: "create_model", model_id: id, lora_config: { ...made, train_unembed: false } } };
      }),
    );
    return { request_id, model_id: id };
  }

  async getInfo({ model_id }: Body<typeof requests.ofModel>) {
    const { lora } = await this.#models.get(model_id).ready;
    const { name, tokenizer } = this.model;
    return {
      type: "get_info",
      model_id,
      model_name: name,
      is_lora: true,
      lora_rank: lora.rank,
      model_data: { model_name: name, arch: null, tokenizer_id: tokenizer },
    };
  }

  unloadModel({ model_id, seq_id }: Body<typeof requests.ofModel>) {
    return this.#forModel(model_id, seq_id, async () => {
      void this.#models.unload(model_id).catch(this.#onFailure);
      return { json: { type: "unload_model", model_id } };
    });
  }

  /** Takes a model's request that cannot be read: its number counts, and its result says what is wrong with it. */
  refuse(modelId: string, number: number, message: string) {
    return this.#forModel(modelId, number, () => Promise.reject(new UserError(message)));
  }

  forwardBackward(request: ForwardBackwardRequest) {
    if (request.seqId < 1) throw new ApiError(422, "seq_id: must be at least 1");
    return this.#forModel(request.modelId, request.seqId, (model) => forwardBackward(model, request, this.#encoder));
  }

  optimStep({ model_id, seq_id, adam_params }: Body<typeof requests.optimStep>) {
    return this.#forModel(model_id, seq_id, (model) => optimStep(model, adam_params));
  }

  saveWeights(body: Body<typeof requests.saveWeights>) {
    return this.#forModel(body.model_id, body.seq_id, async (model) => {
      const { path } = await this.#save(model, "weights", body.path ?? randomName(), body);
      return { json: { type: "save_weights", path } };
    });
  }

  saveWeightsForSampler(body: Body<typeof requests.saveWeightsForSampler>) {
    return this.#forModel(body.model_id, body.seq_id, async (model) => {
      if (body.path != null) {
        const { path } = await this.#save(model, "sampler_weights", body.path, { ...body, overwrite: false });
        return { json: { type: "save_weights_for_sampler", path, sampling_session_id: null } };
      }
      const session = this.#sessions.get(model.session);
      const folder = join(this.#snapshots, randomUUID());
      await this.#samplers.keep(folder, snapshotOf(model.engine));
      session.snapshots.push(folder);
      if (session.snapshots.length > KEPT_SNAPSHOTS) await this.#samplers.dropSnapshot(session.snapshots.shift()!);
      const id = samplerId(session.id, body.sampling_session_seq_id ?? randomInt(2 ** 47));
      this.#samplers.add(id, session.id, { folder, lora: model.lora });
      return { json: { type: "save_weights_for_sampler", path: null, sampling_session_id: id } };
    });
  }

  saveWeightsExternal(body: Body<typeof requests.saveWeightsExternal>) {
    return this.#forModel(body.model_id, body.seq_id, async (model) => {
      const kept = { ttl_seconds: body.ttl_seconds, overwrite: false, user_metadata: null };
      const { path } = await this.#save(model, "external_weights", body.path, kept);
      return { json: { type: "save_weights_external", path } };
    });
  }

  /** Into a model that is there, or making one. */
  loadWeights(body: Body<typeof requests.loadWeights>) {
    const { path, optimizer, model_id } = body;
    const restore = async ({ engine, id }: TrainedModel, { folder }: Checkpoint): Promise<Result> => {
      await engine.load(folder);
      if (!optimizer) await engine.resetOptimizer();
      return { json: { type: "load_weights", path, model_id: id } };
    };
    if (model_id != null) {
      return this.#forModel(model_id, body.seq_id, (model) => restore(model, this.#trainable(path)));
    }
    if (body.session_id == null || body.model_seq_id == null) {
      throw new ApiError(422, "load_weights: give model_id, or session_id and model_seq_id");
    }
    const session = this.#sessions.get(body.session_id);
    const id = modelId(session.id, body.model_seq_id);
    const request_id = session.models.once(body.model_seq_id, () =>
      this.futures.submit(session.id, async () => {
        if (body.base_model != null) this.#requireBase(body.base_model);
        const checkpoint = this.#trainable(path);
        const { lora_config: lora } = checkpoint.record;
        const asked = { id, session: session.id, lora, metadata: body.user_metadata };
        return restore(await this.#models.create(asked, checkpoint.folder).ready, checkpoint);
      }),
    );
    return { request_id, model_id: id };
  }

  weightsInfo({ tinker_path }: Body<typeof requests.weightsInfo>) {
    const { base_model, lora_config } = this.checkpoints.find(tinker_path).record;
    const { rank, train_attn, train_mlp } = lora_config;
    return { base_model, is_lora: true, lora_rank: rank, train_attn, train_mlp, train_unembed: false };
  }

  createSamplingSession(body: Body<typeof requests.createSamplingSession>) {
    const session = this.#sessions.get(body.session_id);
    const sampling_session_id = session.samplers.once(body.sampling_session_seq_id, () => {
      const id = samplerId(session.id, body.sampling_session_seq_id);
      if (body.model_path == null) {
        this.#requireBase(body.base_model ?? "");
        this.#samplers.add(id, session.id, null);
      } else {
        const { folder, record } = this.#fitting(body.model_path);
        this.#samplers.add(id, session.id, { folder, lora: record.lora_config }, body.model_path);
      }
      return id;
    });
    return { type: "create_sampling_session", sampling_session_id };
  }

  sampler(id: string) {
    const { path } = this.#samplers.get(id);
    return { sampler_id: id, base_model: this.model.name, model_path: path };
  }

  /** The models in training, as lists of training runs show them. */
  get runs(): readonly LiveRun[] {
    return this.#models.all.map(({ id, made, lora, metadata }) => {
      return { id, made: made.toISOString(), base_model: this.model.name, lora_rank: lora.rank, metadata };
    });
  }

  /** A copy of a sampler's client gets a number, from which it derives those of its requests. */
  joinSampler({ sampling_session_id }: Body<typeof requests.joinSamplingSession>) {
    const sampler = this.#samplers.get(sampling_session_id);
    sampler.clones++;
    return { type: "join_sampling_session", client_counter: sampler.clones };
  }

  sample(request: Body<typeof requests.sample>) {
    if (request.sampling_session_id == null) {
      throw new ApiError(422, "asample: sampling_session_id is missing: create a sampling session first");
    }
    const sampler = this.#samplers.get(request.sampling_session_id);
    this.#sessions.get(sampler.session);
    return sampler.answered.once(request.seq_id, () => {
      const request_id = this.futures.submit(sampler.session, (signal) => this.#draw(sampler, request, signal));
      const ids = Array.from({ length: request.num_samples }, (_, i) => `${request_id}:${i}`);
      return { request_id, sample_sequence_ids: ids };
    });
  }

  /** A result, or null where there is none in time; asking counts as a sign of life. */
  retrieve(id: string, milliseconds: number, signal: AbortSignal): Promise<Result | null> {
    this.#sessions.touch(this.futures.ownerOf(id) ?? "");
    return this.futures.wait(id, milliseconds, signal);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const id of this.#sessions.ids) await this.#end(id).catch(this.#onFailure);
    rmSync(this.#snapshots, { recursive: true, force: true });
  }

  async #draw(sampler: Sampler, request: Body<typeof requests.sample>, signal: AbortSignal): Promise<Result> {
    const { maxCompletionLength } = this.limits;
    const prompt = await this.#encoder.encode(request.prompt.chunks.map(chunkOf), "prompt.chunks");
    signal.throwIfAborted();
    const draw = (engine: TinkerModel["engine"]) => {
      const seed = randomInt(2 ** 47);
      return drawSamples(engine, this.model.processor, { request, prompt, seed, maxCompletionLength, signal });
    };
    const drawn = await this.#samplers.use(sampler, draw);
    return { bytes: encodeSampleResponse(drawn) };
  }

  /** Submits work for a model, in the order of its requests; a repeated request has the same id. */
  #forModel(id: string, number: number | null | undefined, work: (model: TrainedModel) => Promise<Result>) {
    let entry: ModelEntry;
    try {
      entry = this.#models.get(id);
    } catch (error) {
      return { request_id: this.futures.submit("", () => Promise.reject(error)) };
    }
    this.#sessions.get(entry.session);
    const request_id = entry.answered.once(number, () =>
      this.futures.submit(entry.session, () => entry.sequence.run(number ?? null, async () => work(await entry.ready))),
    );
    return { request_id };
  }

  #save(
    { id, lora, engine, metadata }: TrainedModel,
    kind: CheckpointKind,
    name: string,
    o: Pick<Body<typeof requests.saveWeights>, "overwrite" | "ttl_seconds" | "user_metadata">,
  ): Promise<Checkpoint> {
    return this.checkpoints.save({
      overwrite: o.overwrite,
      write: (folder) => engine.save(folder, { training: kind === "weights" }),
      record: {
        model_id: id,
        kind,
        name,
        base_model: this.model.name,
        base_fingerprint: this.model.fingerprint,
        lora_config: lora,
        run_metadata: metadata ?? null,
        expires_at: endIn(o.ttl_seconds ?? null),
        user_metadata: { ...o.user_metadata },
      },
    });
  }

  /** A checkpoint of an adapter on this base. */
  #fitting(path: string): Checkpoint {
    const checkpoint = this.checkpoints.find(path);
    if (checkpoint.record.base_fingerprint === this.model.fingerprint) return checkpoint;
    throw new UserError(`${path} belongs to ${checkpoint.record.base_model}, other weights than are served here`);
  }

  #trainable(path: string): Checkpoint {
    const checkpoint = this.#fitting(path);
    if (checkpoint.record.kind === "weights") return checkpoint;
    throw new UserError(`${path} is for sampling: train on what save_weights saved`);
  }

  #requireBase(name: string): void {
    if (name === this.model.name) return;
    throw new UserError(`there is no model "${name.slice(0, 100)}" here, only "${this.model.name}"`);
  }

  #endSilent(): void {
    for (const id of this.#sessions.silentFor(this.limits.sessionTimeoutSeconds)) {
      void this.#end(id).catch(this.#onFailure);
    }
  }

  async #end(id: string): Promise<void> {
    const session = this.#sessions.end(id);
    this.futures.drop(id);
    this.#samplers.endSession(id);
    for (const folder of session?.snapshots ?? []) await this.#samplers.dropSnapshot(folder);
    await this.#models.unloadSession(id);
  }
}

function snapshotOf({ snapshot }: TrainingEngine): Promise<TrainingEngine> {
  if (snapshot === undefined) throw new Error("internal: an adapter's engine gives snapshots");
  return snapshot();
}

/** As SDK 0.38.0 expects it. */
const modelId = (session: string, number: number) => `${session}:train:${number}`;
const samplerId = (session: string, number: number) => `${session}:sample:${number}`;
const randomName = () => `checkpoint-${randomUUID()}`;

function chunkOf(chunk: Body<typeof requests.chunk>): Chunk {
  if (chunk.type === "encoded_text") return { type: "tokens", tokens: Int32Array.from(chunk.tokens) };
  const { data, format, expected_tokens } = chunk;
  return { type: "image", data: Buffer.from(data, "base64"), format, expectedTokens: expected_tokens ?? null };
}
