/** What rewards need beyond texts: the medical vocabulary, sentence encoders, language models behind endpoints. */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseVocabulary, type Vocabulary } from "../answers/concepts/vocabulary.ts";
import { UserError } from "../core/errors.ts";
import { once } from "../core/once.ts";
import { openSentenceEncoder, type SentenceEncoder } from "../engine/sentence-encoder.ts";
import { cachedChat } from "../io/cached-chat.ts";
import { openChatClient } from "../io/chat-client.ts";
import { readJson } from "../io/files.ts";
import { openReplyCache } from "../io/reply-cache.ts";
import type { Recipe } from "../recipes/schema.ts";
import { needsOf } from "../recipes/stage-kinds.ts";
import { readYamlFile } from "../recipes/yaml-file.ts";
import { buildRewards, type RewardContext, type RewardServices, type ScheduledReward } from "../rewards/index.ts";
import { type OpenedScorer, openScorer } from "./reward-model.ts";

/** The services of a run; `close` frees what they opened. */
export interface RunRewardServices extends RewardServices {
  /** Bytes of the weights of reward models opened so far. */
  modelBytes(): Promise<number>;
  close(): Promise<void>;
}

/** The rewards of every stage; `modelBytes` is what the weights of reward models take. */
export interface OpenedRewards {
  readonly rewards: readonly (readonly ScheduledReward[])[];
  readonly modelBytes: number;
  close(): Promise<void>;
}

/** The rewards of every stage, none for stages that sample nothing; throws UserError for what they name and cannot have. */
export async function openRewards(
  recipe: Recipe,
  known: Pick<RewardContext, "style" | "thinkOpened" | "trainTargets">,
  runFolder: string,
): Promise<OpenedRewards> {
  const { threads } = recipe.engine;
  const services = openRewardServices(runFolder, { threads: threads === "auto" ? 0 : threads });
  const needs = recipe.stages.map((stage) => needsOf(stage).generation);
  if (needs.every((generation) => generation === null)) {
    return { rewards: needs.map(() => []), modelBytes: 0, close: services.close };
  }
  const vocabulary = openVocabulary(recipe.vocabulary);
  const building = needs.map(async (generation) => {
    if (generation === null) return [];
    const maxCompletionLength = generation.max_completion_length;
    return buildRewards(generation.rewards, { ...known, maxCompletionLength, vocabulary, services });
  });
  const rewards = await Promise.all(building);
  return { rewards, modelBytes: await services.modelBytes(), close: services.close };
}

interface ServiceOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly threads?: number;
}

/**
 * Services for a run in a folder: replies of judges are kept there, in `replies/`, unless a reward names another place.
 * A model is opened once per folder, however many rewards name it, and computes with `threads`; 0 lets ONNX Runtime choose.
 */
export function openRewardServices(
  runFolder: string,
  { env = process.env, threads = 0 }: ServiceOptions = {},
): RunRewardServices {
  const encoders = new Map<string, Promise<SentenceEncoder>>();
  const scorers = new Map<string, Promise<OpenedScorer>>();
  return {
    readYaml: (file, what) => readYamlFile(file, what).value,
    openChat(o) {
      const apiKey = o.apiKeyEnv === null ? null : readKey(o.apiKeyEnv, env);
      const cache = openReplyCache(o.cache === null ? join(runFolder, "replies") : resolve(o.cache));
      return cachedChat(openChatClient({ ...o, apiKey }), o, cache);
    },
    openEncoder(folder) {
      const place = resolve(folder);
      const opened = encoders.get(place) ?? openSentenceEncoder(place, threads);
      encoders.set(place, opened);
      return opened;
    },
    openScorer(path) {
      const place = resolve(path);
      const opened = scorers.get(place) ?? openScorer(place, threads);
      scorers.set(place, opened);
      return opened;
    },
    async modelBytes() {
      const opened = await Promise.all(scorers.values());
      return opened.reduce((sum, { bytes }) => sum + bytes, 0);
    },
    async close() {
      for (const opened of await Promise.allSettled([...encoders.values(), ...scorers.values()])) {
        if (opened.status === "fulfilled") await opened.value.close();
      }
    },
  };
}

/**
 * The vocabulary of a file; null is the one that ships. That one is read when it is first asked about, since building its
 * tree takes a quarter of a second and only open answers, claims and concepts ask.
 */
export function openVocabulary(path: string | null): Vocabulary {
  if (path !== null) return readVocabulary(path);
  const shipped = once(() => readVocabulary(fileURLToPath(new URL("../../assets/vocabulary.json", import.meta.url))));
  return {
    get concepts() {
      return shipped().concepts;
    },
    get terms() {
      return shipped().terms;
    },
    get triggers() {
      return shipped().triggers;
    },
    get expansions() {
      return shipped().expansions;
    },
    get skipped() {
      return shipped().skipped;
    },
  };
}

function readVocabulary(file: string): Vocabulary {
  return parseVocabulary(readJson(file, "vocabulary"), file);
}

function readKey(name: string, env: Readonly<Record<string, string | undefined>>): string {
  const key = env[name];
  if (key === undefined || key === "") {
    throw new UserError(`api_key_env: the environment variable ${name} is not set`);
  }
  return key;
}
