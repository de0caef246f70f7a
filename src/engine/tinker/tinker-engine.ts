/** The TrainingEngine over a server of the Tinker API: weights and computing there, losses and everything else here. */
import { asReady } from "../../core/as-ready.ts";
import { RunError, UserError } from "../../core/errors.ts";
import { randomKey, uint32 } from "../../core/random.ts";
import type { Completion, Prompt, RolloutResult, SamplingOptions } from "../../core/records.ts";
import { openModel } from "../../models/index.ts";
import type { CompletionDecoder, EngineDemands, EngineOptions } from "../backend.ts";
import type { LogProbOptions, TokenBatch, TokenScores, TrainingEngine, TrainingGroup } from "../engine.ts";
import { finitePolicy } from "../finite-policy.ts";
import { requireTokenValues } from "../token-values.ts";
import { readRemoteCheckpoint, writeAdapterArchive, writeRemoteCheckpoint } from "./checkpoint-files.ts";
import { batchCoefficients, dependsOnLogProbs } from "./coefficients.ts";
import { completionPart, type WeighedCompletion } from "./datum.ts";
import { promptChunks } from "./images.ts";
import { type InspectedServer, inspectServer, rankOf } from "./inspect.ts";
import { openTrainer, type Trainer } from "./trainer.ts";

/** Throws UserError where the server, or any server, cannot do what is asked, by the recipe's keys. */
export async function openTinkerEngine(
  options: EngineOptions,
  decoder: CompletionDecoder,
  asked: EngineDemands = { features: [], images: null },
): Promise<TrainingEngine> {
  const server = await inspectServer(options, decoder, asked);
  try {
    const { refused } = server.inspection;
    if (refused.length > 0) throw new UserError(`${server.connection.origin} cannot run this: ${refused.join("; ")}`);
    const { dialect } = server.findings;
    const named = { baseModel: server.baseModel, rank: rankOf(options), seed: options.seed, dialect };
    const trainer = await openTrainer(server.connection, server.session, named);
    try {
      if (options.adapterFolder != null) {
        const { state } = readRemoteCheckpoint(options.adapterFolder);
        await trainer.restore({ state, reference: null }, { optimizer: false });
      }
      return engineOf(server, trainer, options, decoder);
    } catch (error) {
      await trainer.close();
      throw error;
    }
  } catch (error) {
    await server.session.close();
    throw error;
  }
}

function engineOf(
  { connection, session, baseModel, inspection, findings, contextLength }: InspectedServer,
  trainer: Trainer,
  options: EngineOptions,
  decoder: CompletionDecoder,
): TrainingEngine {
  const own = openModel(options.modelFolder).language.maxPositions;
  let updates = 0;
  const chunksOf = (prompt: Prompt) => {
    const fault = findings.cannot.images;
    if (prompt.images.length === 0 || fault === undefined) return promptChunks(prompt, decoder.imageTokenId);
    throw new UserError(`a prompt with an image: ${fault}`);
  };

  /** A batch's completions in order, to be scored; gains are filled in later. */
  const weighed = async (groups: readonly TrainingGroup[]): Promise<readonly WeighedCompletion[]> => {
    const listed = await Promise.all(
      groups.map(async ({ prompt, completions, inPlace }) => {
        if (inPlace !== undefined) throw new UserError("a server takes completions alone, no predictions in place");
        const chunks = await chunksOf(prompt);
        return completions.map(({ tokenIds, oldLogProbs }) => {
          const zeros = new Float32Array(tokenIds.length);
          return { prompt, chunks, tokenIds, gains: zeros, oldLogProbs: oldLogProbs ?? zeros };
        });
      }),
    );
    return listed.flat();
  };
  const scores = async (items: readonly WeighedCompletion[], of: "policy" | "reference") => {
    return items.length === 0 ? [] : partsOf(items, await trainer.scores(items, of));
  };
  const logProbs = (of: "policy" | "reference") => {
    return async (groups: readonly TrainingGroup[], scoring: LogProbOptions): Promise<TokenScores> => {
      requireWholeDistribution(scoring);
      return { logProbs: await scores(await weighed(groups), of), entropies: [] };
    };
  };
  return {
    contextLength: Math.min(own, contextLength ?? own),
    record: inspection.record,
    notices: inspection.notices,
    get updates() {
      return updates;
    },
    policy: finitePolicy(
      {
        sample: (prompts, o) =>
          sampleAll(trainer, prompts, { ...o, chunksOf, decoder, rows: o.rows ?? options.rows, updates }),
        logProbs: logProbs("policy"),
        async embed() {
          throw new UserError(
            "embeddings of images: a server of the Tinker API gives none; compute them on this machine",
          );
        },
      },
      () => `${baseModel} on ${connection.origin}`,
    ),
    get reference() {
      return trainer.hasReference ? { logProbs: logProbs("reference") } : null;
    },
    async forwardBackward(batch: TokenBatch) {
      requireTokenValues(batch.groups);
      requireWholeDistribution(batch.scoring);
      if (batch.loss.variant.entropyBonus)
        throw new UserError("entropy_coef: a server gives no gradient of the entropy");
      const items = await weighed(batch.groups);
      if (items.length === 0) return { loss: 0, logProbs: [], entropies: [] };
      const needed = dependsOnLogProbs(batch) || !findings.dialect.clipsToOne;
      const before = needed ? await scores(items, "policy") : items.map(({ gains }) => gains);
      const { gains } = batchCoefficients(batch, before);
      const sent = items.map((item, i) => {
        return { ...item, gains: gains[i]!, oldLogProbs: findings.dialect.clipsToOne ? item.oldLogProbs : before[i]! };
      });
      const logProbs = partsOf(items, await trainer.accumulate(sent));
      return { loss: batchCoefficients(batch, logProbs).loss, logProbs, entropies: [] };
    },
    async optimStep(o) {
      const gradNorm = await trainer.update(o);
      updates++;
      if (gradNorm === null) throw new RunError("the server does not tell the gradient's norm any more");
      return { gradNorm };
    },
    freezeReference: (keep) => trainer.freezeReference(keep),
    resetOptimizer: () => trainer.reset(),
    async save(folder, { training }) {
      await writeAdapterArchive(folder, await trainer.exportAdapter(), options);
      if (!training) return;
      writeRemoteCheckpoint(folder, await trainer.save(), { url: connection.origin, baseModel });
    },
    load: (folder) => trainer.restore(readRemoteCheckpoint(folder), { optimizer: true }),
    async close() {
      await trainer.close();
      await session.close();
    },
  };
}

interface SampleAll extends SamplingOptions {
  readonly chunksOf: (prompt: Prompt) => ReturnType<typeof promptChunks>;
  readonly decoder: CompletionDecoder;
  readonly rows: number;
  readonly updates: number;
}

/** As many prompts at a time as fill the rows; groups come as they are ready. */
async function* sampleAll(trainer: Trainer, prompts: readonly Prompt[], o: SampleAll): AsyncGenerator<RolloutResult> {
  const { numGenerations, decoder } = o;
  // Servers count the seeds of a group's completions up from the prompt's.
  const first = uint32(randomKey(o.seed, "tinker", o.step), 0) % (2 ** 31 - prompts.length * numGenerations);
  const one = async (index: number): Promise<RolloutResult> => {
    const { sequences } = await trainer.sample(await o.chunksOf(prompts[index]!), {
      numSamples: numGenerations,
      maxTokens: o.maxCompletionLength,
      temperature: o.temperature,
      topP: o.topP,
      topK: o.topK,
      seed: first + index * numGenerations,
      stopTokenIds: decoder.stopTokenIds,
    });
    if (sequences.length !== numGenerations) {
      throw new RunError(`the server gave ${sequences.length} completions where ${numGenerations} were asked for`);
    }
    const completions = sequences.map(({ tokens, logProbs, stopReason }): Completion => {
      if (logProbs?.length !== tokens.length) throw new RunError("the server gave completions without log-probs");
      const text = decoder.decode(tokens);
      return { tokenIds: tokens, logProbs, text, finishReason: stopReason, policyVersion: o.updates };
    });
    return { index, completions };
  };
  yield* asReady(prompts.length, Math.max(1, Math.floor(o.rows / numGenerations)), one);
}

function partsOf(items: readonly WeighedCompletion[], logProbs: readonly (Float32Array | undefined)[]): Float32Array[] {
  return items.map((item, i) => completionPart(item, logProbs[i]));
}

/** A server's log-probs are those of the model itself, whatever was drawn from. */
function requireWholeDistribution({ temperature, topP, topK }: LogProbOptions): void {
  const cuts = Object.entries({ temperature: [temperature, 1], top_p: [topP, 1], top_k: [topK, 0] });
  const other = cuts.find(([, [asked, whole]]) => asked !== whole);
  if (other === undefined) return;
  throw new UserError(`${other[0]}: log-probs from a server are those of temperature 1, top_p 1 and top_k 0`);
}
