/** A server, looked at before it is used: which model, what it does, what of a run's demands it cannot meet. */
import { UserError } from "../../core/errors.ts";
import { replies } from "../../tinker/index.ts";
import type {
  CompletionDecoder,
  EngineDemands,
  EngineFeature,
  EngineInspection,
  EngineOptions,
  FeatureDemand,
} from "../backend.ts";
import { type Connection, openConnection } from "./connection.ts";
import { probeServer, type ServerFindings } from "./probe.ts";
import { openRemoteSession, type RemoteSession } from "./session.ts";

export interface InspectedServer {
  readonly connection: Connection;
  /** The caller's to close. */
  readonly session: RemoteSession;
  /** As the server calls it. */
  readonly baseModel: string;
  /** As the server tells it; null where it does not. */
  readonly contextLength: number | null;
  readonly findings: ServerFindings;
  readonly inspection: EngineInspection;
}

/** What no server of the API does. */
const NEVER: Readonly<Partial<Record<EngineFeature, string>>> = {
  all_weights: "servers train adapters alone: set model.lora: {}",
  random_weights: "the weights are the server's",
  frozen_parts: "the base model is the server's",
  quantised_base: "the base model is the server's",
  chosen_layers: "the server chooses which layers are adapted",
  lora_dropout: "servers train without dropout",
  device: "the model is computed on the server",
  temperature: "log-probs from a server are those of temperature 1",
  top_p: "log-probs from a server are those of the whole distribution",
  top_k: "log-probs from a server are those of the whole distribution",
  score_head: "a server's models predict tokens alone",
  entropy_bonus: "a server gives no gradient of the entropy",
  critic: "a server gives log-probs of tokens, not values of the whole vocabulary",
  pixel_gradients: "a server gives no gradient of images, and its vision tower cannot be trained by itself",
  turns: "the turns of completions with tools are computed by engine local alone",
  token_stats: "a server tells log-probs of its tokens and nothing else of the distribution",
};

/** Opens a session and probes; what a run asks in vain stands in the inspection. Throws UserError for a server that is unfit. */
export async function inspectServer(
  options: EngineOptions,
  decoder: CompletionDecoder,
  asked: EngineDemands,
): Promise<InspectedServer> {
  const { server } = options;
  if (server == null) throw new UserError("engine.url: name the server, as http://localhost:8000");
  const connection = openConnection(server);
  const refused = refusals(asked.features, NEVER);
  const model = await modelOf(connection, server.model);
  const session = await openRemoteSession(connection);
  try {
    const started = performance.now();
    const named = { baseModel: model.name, rank: rankOf(options), seed: options.seed };
    const findings = await probeServer(session, { ...named, decoder, images: asked.images });
    const seconds = (performance.now() - started) / 1000;
    return {
      ...{ connection, session, baseModel: model.name, contextLength: model.contextLength, findings },
      inspection: {
        record: recordOf(findings, { url: connection.origin, base_model: model.name, probe_s: seconds }),
        refused: [...refused, ...refusals(asked.features, findings.cannot)],
        notices: noticesOf(findings, options),
      },
    };
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** Of new adapters. */
export function rankOf({ lora }: EngineOptions): number {
  return lora?.r ?? DEFAULT_RANK;
}

/** Of a model that is asked and not trained: any adapter that is fresh changes nothing. */
const DEFAULT_RANK = 1;

function refusals(
  demands: readonly FeatureDemand[],
  cannot: Readonly<Partial<Record<EngineFeature, string>>>,
): readonly string[] {
  return demands.flatMap(({ key, feature }) => (cannot[feature] === undefined ? [] : [`${key}: ${cannot[feature]}`]));
}

/** The model by the server's list; servers may make models of names that they do not have. */
async function modelOf(connection: Connection, asked: string | null) {
  const { supported_models: listed } = await connection.get("get_server_capabilities", replies.serverCapabilities);
  const names = listed.flatMap(({ model_name }) => model_name ?? []);
  const own = asked ?? (names.length === 1 ? names[0]! : null);
  const found = listed.find(({ model_name }) => own !== null && model_name === own);
  if (found !== undefined) return { name: own!, contextLength: found.max_context_length ?? null };
  const what = asked === null ? "name one of the server's models" : `the server has no model "${asked}"`;
  throw new UserError(`engine.model: ${what}; it has ${names.join(", ") || "none"}`);
}

function recordOf(
  {
    dialect,
    lora,
    loadDifference,
    samplerDifference,
    repeatsSeeds,
    honours,
    loadsMoments,
    resetsMoments,
    cannot,
  }: ServerFindings,
  about: Readonly<Record<string, unknown>>,
): EngineInspection["record"] {
  return {
    ...about,
    lora,
    divides_by_tokens: dialect.dividesByTokens,
    divides_by_data: dialect.dividesByData,
    clips_to_one: dialect.clipsToOne,
    inherits_gradients: dialect.inheritsGradients,
    sampler_logprob_diff: samplerDifference,
    repeats_seeds: repeatsSeeds,
    load_logprob_diff: loadDifference,
    honours,
    loads_moments: loadsMoments,
    resets_moments: resetsMoments,
    cannot,
  };
}

/** What a server changes in silence. */
function noticesOf(
  { honours, lora, loadsMoments, repeatsSeeds }: ServerFindings,
  options: EngineOptions,
): readonly string[] {
  const ignored = Object.entries(honours).flatMap(([key, isRead]) => (isRead ? [] : [key]));
  const alpha = lora["alpha"] ?? lora["lora_alpha"];
  const asked = options.lora?.lora_alpha;
  return [
    ...(ignored.length === 0 ? [] : [`the server reads no ${ignored.join(", ")}: it trains by its own`]),
    ...(alpha === undefined || alpha === asked ? [] : [`the server's adapters have lora_alpha ${alpha}, not ${asked}`]),
    ...(loadsMoments
      ? []
      : ["the server loads states without the optimiser's moments: a run that goes on builds them anew"]),
    ...(repeatsSeeds ? [] : ["equal seeds give other completions on this server: a run does not repeat exactly"]),
  ];
}
