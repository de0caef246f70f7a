/**
 * The policy on a server, which outlives the server: after every update its state is saved there, and what came later is
 * done again on a new model when the old one is gone. So every gradient counts once, whatever was lost.
 */
import { setTimeout as delay } from "node:timers/promises";
import { RunError } from "../../core/errors.ts";
import type { Chunk, Datum, SampleResponse } from "../../tinker/index.ts";
import type { OptimStep } from "../engine.ts";
import { type Connection, ServerRefusal } from "./connection.ts";
import { CARRIER, toDatum, UNCLIPPED, type WeighedCompletion } from "./datum.ts";
import { type Dialect, scaleOf } from "./dialect.ts";
import type { RemoteModel, SamplerHandle, WireSampling } from "./remote-model.ts";
import type { RemoteSession } from "./session.ts";

export interface TrainerOptions {
  readonly baseModel: string;
  readonly rank: number;
  readonly seed: number;
  readonly dialect: Dialect;
}

/** Paths on the server. */
export interface SavedState {
  readonly state: string;
  /** Of the frozen reference; null without one. */
  readonly reference: string | null;
}

export interface Trainer {
  /** Log-probs of each datum's targets under the policy or the reference. */
  scores(data: readonly WeighedCompletion[], of: "policy" | "reference"): Promise<LogProbs>;
  /** The same under the policy, and adds the gradient of Σ −gain·logp. */
  accumulate(data: readonly WeighedCompletion[]): Promise<LogProbs>;
  /** Applies and clears the gradient; its norm, or null where the server does not tell. */
  update(o: OptimStep): Promise<number | null>;
  /** One prompt under the newest weights. */
  sample(prompt: readonly Chunk[], o: WireSampling): Promise<SampleResponse>;
  readonly hasReference: boolean;
  freezeReference(keep: boolean): Promise<void>;
  /** Drops moments and gradients; a server that keeps moments on loading cannot. */
  reset(): Promise<void>;
  /** The state as it is now, kept on the server. */
  save(): Promise<SavedState>;
  /** Goes on from a saved state; without the optimiser, from its weights alone. */
  restore(saved: SavedState, o: { readonly optimizer: boolean }): Promise<void>;
  /** The adapter as the server exports it, in a tar file. */
  exportAdapter(): Promise<Uint8Array>;
  close(): Promise<void>;
}

type LogProbs = readonly (Float32Array | undefined)[];

/** What was done since the state was last saved. */
type Deed = { readonly batch: readonly WeighedCompletion[] } | { readonly update: OptimStep };

/** How often in a row one call is begun again on a new model. */
const MOST_REVIVALS = 5;
/** A server that is away frees the models by itself. */
const MOST_CLOSING_MS = 5000;

/** Makes the model. Close it in any case; the session is the caller's. */
export async function openTrainer(
  connection: Connection,
  session: RemoteSession,
  { dialect, ...o }: TrainerOptions,
): Promise<Trainer> {
  const carrier = dialect.clipsToOne ? CARRIER : UNCLIPPED;
  const scored = (batch: readonly WeighedCompletion[]) => batch.map((item) => toDatum(item, 1));

  let policy = await freshModel();
  let reference: RemoteModel | null = null;
  let referenceState: string | null = null;
  let sampler: Promise<SamplerHandle> | null = null;
  /** Null: as the model was made. */
  let saved: string | null = null;
  const kept = new Set<string>();
  let deeds: Deed[] = [];
  /** Gradients that wait for an update, and the data that the server has counted for them. */
  let waiting: WeighedCompletion[] = [];
  let counted = 0;
  let saves = 0;
  let lives = 0;
  let reviving: Promise<void> | null = null;

  async function freshModel(): Promise<RemoteModel> {
    if (dialect.inheritsGradients) {
      const broom = await session.createModel(o);
      await broom.optimStep(nothing);
      await broom.unload();
    }
    return session.createModel(o);
  }

  /** Where a server divides by the data of an update, what it was sent before is sent again with the part that it then lacks. */
  async function addGradient(batch: readonly WeighedCompletion[]): Promise<LogProbs> {
    const earlier = dialect.dividesByData ? [...waiting] : [];
    const data = counted + earlier.length + batch.length;
    const scale = ({ tokenIds }: WeighedCompletion, n: number) =>
      scaleOf(dialect, { tokens: tokenIds.length, data: n });
    const sent: Datum[] = [
      ...earlier.map((item) => toDatum(item, scale(item, data - counted))),
      ...batch.map((item) => toDatum(item, scale(item, data))),
    ];
    const logProbs = await policy.forwardBackward(sent, carrier);
    if (dialect.dividesByData) counted = data;
    waiting.push(...batch);
    return logProbs.slice(earlier.length);
  }

  async function step(update: OptimStep): Promise<number | null> {
    const gradNorm = await policy.optimStep(update);
    waiting = [];
    counted = 0;
    sampler = null;
    return gradNorm;
  }

  /** The state after all deeds; the one before goes, unless something else refers to it. */
  async function persist(): Promise<string> {
    if (saved !== null && deeds.every((deed) => !("update" in deed))) return saved;
    const before = saved;
    saved = await policy.saveState(`state-${++saves}`);
    deeds = deeds.slice(deeds.findLastIndex((deed) => "update" in deed) + 1);
    if (before !== null && !kept.has(before)) await connection.remove(checkpointOf(before)).catch(() => {});
    return saved;
  }

  async function revive(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await bringBack();
      } catch (cause) {
        if (!(cause instanceof ServerRefusal)) throw cause;
        if (tries < MOST_REVIVALS) continue; // it may have gone away once more
        throw new RunError(`the server lost the model, and what it saved does not bring it back: ${cause.message}`, {
          cause,
        });
      }
    }
  }

  async function bringBack(): Promise<void> {
    await session.renew();
    lives++;
    policy = await freshModel();
    sampler = null;
    waiting = [];
    counted = 0;
    if (saved !== null) await policy.loadState(saved, true);
    for (const deed of deeds) await ("batch" in deed ? addGradient(deed.batch) : step(deed.update));
    if (referenceState !== null) {
      reference = await freshModel();
      await reference.loadState(referenceState, false);
    }
  }

  const isAlive = async () => {
    try {
      await policy.forward([trifle], carrier);
      return true;
    } catch (error) {
      if (error instanceof ServerRefusal) return false;
      throw error;
    }
  };

  /** Work that a server may lose the model under; other refusals are thrown. */
  async function surviving<T>(work: () => Promise<T>): Promise<T> {
    for (let revivals = 0; ; revivals++) {
      const life = lives;
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ServerRefusal) || revivals === MOST_REVIVALS) throw error;
        if (life === lives && reviving === null && (await isAlive())) throw error;
        reviving ??= (life === lives ? revive() : Promise.resolve()).finally(() => {
          reviving = null;
        });
        await reviving;
      }
    }
  }

  async function replacePolicy(state: string, optimizer: boolean): Promise<void> {
    await policy.unload().catch(() => {}); // a server with one place would have none for the next
    policy = await freshModel();
    await policy.loadState(state, optimizer);
    [sampler, waiting, counted, deeds] = [null, [], 0, []];
    saved = optimizer ? state : null;
    if (!optimizer) await persistFresh();
  }

  async function persistFresh(): Promise<void> {
    saved = await policy.saveState(`state-${++saves}`);
  }

  async function setReference(state: string | null): Promise<void> {
    await reference?.unload().catch(() => {});
    [reference, referenceState] = [null, state];
    if (state === null) return;
    kept.add(state);
    reference = await freshModel();
    await reference.loadState(state, false);
  }

  return {
    scores: (data, of) =>
      surviving(() => {
        const model = of === "policy" ? policy : reference;
        if (model === null) throw new Error("internal: there is no reference");
        return model.forward(scored(data), carrier);
      }),
    async accumulate(data) {
      const batch = [...data];
      if (saved === null) await surviving(persistFresh);
      const logProbs = await surviving(() => addGradient(batch));
      deeds.push({ batch });
      return logProbs;
    },
    async update(update) {
      const gradNorm = await surviving(() => step(update));
      deeds.push({ update });
      await surviving(persist);
      return gradNorm;
    },
    sample: (prompt, sampling) =>
      surviving(async () => {
        sampler ??= policy.saveForSampling();
        const current = sampler;
        try {
          return await policy.sample(await current, prompt, sampling);
        } catch (error) {
          if (sampler === current) sampler = null;
          throw error;
        }
      }),
    get hasReference() {
      return referenceState !== null;
    },
    freezeReference: (keep) => surviving(async () => setReference(keep ? await persist() : null)),
    reset: () =>
      surviving(async () => {
        if (saved !== null) await replacePolicy(saved, false); // else it is as it was made
      }),
    async save() {
      const state = await surviving(persist);
      kept.add(state);
      return { state, reference: referenceState };
    },
    restore: ({ state, reference: frozen }, { optimizer }) =>
      surviving(async () => {
        kept.add(state);
        await replacePolicy(state, optimizer);
        await setReference(frozen);
      }),
    exportAdapter: () =>
      surviving(async () => {
        const name = `adapter-${++saves}`;
        await policy.saveForSampling(name);
        const of = (path: string) => `training_runs/${encodeURIComponent(policy.id)}/checkpoints/${path}`;
        try {
          return await connection.download(`${of(`sampler_weights/${name}`)}/archive`);
        } catch (error) {
          if (!(error instanceof ServerRefusal)) throw error;
          return await connection.download(`${of(name)}/archive`);
        } finally {
          await connection.remove(of(`sampler_weights/${name}`)).catch(() => {});
        }
      }),
    async close() {
      const unloaded = Promise.allSettled([reference?.unload(), policy.unload()]);
      await Promise.race([unloaded, delay(MOST_CLOSING_MS, null, { ref: false })]);
    },
  };
}

const nothing: OptimStep = { learningRate: 0, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 0 };

/** Two tokens of any vocabulary. */
const trifle: Datum = (() => {
  const one = (value: number) => ({ shape: [1], data: Float32Array.of(value) });
  return {
    chunks: [{ type: "tokens", tokens: Int32Array.of(0) }],
    inputs: {
      target_tokens: { shape: [1], data: Int32Array.of(1) },
      ...{ weights: one(1), advantages: one(0), logprobs: one(0) },
    },
  };
})();

/** "tinker://MODEL/weights/NAME" as its address. */
function checkpointOf(path: string): string {
  const [model, ...name] = path.replace(/^tinker:\/\//, "").split("/");
  return `training_runs/${encodeURIComponent(model!)}/checkpoints/${name.join("/")}`;
}
