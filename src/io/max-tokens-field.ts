/** What servers call the limit on a completion's tokens. */

/** max_tokens is known to most servers; OpenAI's newer models want max_completion_tokens. */
export const maxTokensFields = ["max_tokens", "max_completion_tokens"] as const;
export type MaxTokensField = (typeof maxTokensFields)[number];
