/** A language model that answers yes or no: how a reward reaches it, and how its reply is read. */
import { z } from "zod";
import { polarity } from "../answers/closed.ts";
import { RunError, UserError } from "../core/errors.ts";
import type { Example, Message } from "../core/records.ts";
import type { RewardContext, RewardLog } from "./reward.ts";

/** What a reward's options say of its judge. */
export const judgeFields = {
  /** The part of the endpoint's address before /chat/completions, such as http://localhost:8000/v1. */
  base_url: z.string().min(1),
  model: z.string().min(1),
  api_key_env: z.string().min(1).nullable().default(null),
  max_tokens: z.int().positive().default(256),
  /** What the endpoint calls that limit. */
  max_tokens_field: z.enum(["max_tokens", "max_completion_tokens"]).default("max_tokens"),
  temperature: z.number().min(0).default(0),
  timeout_s: z.number().positive().max(86_400).default(60),
  max_retries: z.int().min(0).default(3),
  max_concurrency: z.int().positive().default(8),
  cache: z.string().min(1).nullable().default(null),
  on_failure: z.enum(["stop", "skip"]).default("stop"),
};

/** 1 or 0; null for a reply without a verdict and, with `on_failure: skip`, where no reply came. */
export type Judge = (messages: readonly Message[], about: Example, log?: RewardLog) => Promise<0 | 1 | null>;

/** Throws UserError, `needed`, where there are no services to reach an endpoint by. */
export function openJudge(
  needed: string,
  o: z.output<z.ZodObject<typeof judgeFields>>,
  { services }: RewardContext,
): Judge {
  if (services === undefined) throw new UserError(needed);
  const chat = services.openChat({
    baseUrl: o.base_url,
    model: o.model,
    apiKeyEnv: o.api_key_env,
    timeoutSeconds: o.timeout_s,
    maxRetries: o.max_retries,
    maxConcurrency: o.max_concurrency,
    maxTokens: o.max_tokens,
    maxTokensField: o.max_tokens_field,
    temperature: o.temperature,
    cache: o.cache,
  });
  return async (messages, about, log) => {
    log?.count("asked");
    try {
      const verdict = readVerdict(await chat.complete(messages));
      if (verdict === null) log?.count("unparsable");
      return verdict;
    } catch (error) {
      if (o.on_failure === "stop" || !(error instanceof RunError)) throw error;
      log?.count("failed");
      log?.event({ event: "reward_failed", example_id: about.id, message: error.message });
      return null;
    }
  };
}

/** The last "verdict: yes" or "verdict: no" of a reply, else a reply that is nothing but yes or no; null otherwise. */
export function readVerdict(reply: string): 0 | 1 | null {
  const said = [
    ...reply.matchAll(/\bverdict\b["'*\s]{0,8}(?:[:=]|\bis\b)["'*\s<[(]{0,8}(yes|no)\b(?!\s*(?:or|\/)\s*(?:yes|no))/gi),
  ].at(-1)?.[1];
  if (said !== undefined) return said.toLowerCase() === "yes" ? 1 : 0;
  const bare = reply.trim();
  const only = bare.length <= 40 && bare.split(/\s+/).length <= 2 ? polarity(bare) : null;
  return only === null ? null : only === "yes" ? 1 : 0;
}
