/** The attachments by name: a new one is a file and a line here. */
import { bagPool } from "./bag-pool.ts";
import { bagTokens } from "./bag-tokens.ts";
import { outputMapping } from "./output-mapping.ts";
import { projectionHead } from "./projection-head.ts";
import { scoreHead } from "./score-head.ts";
import { visualPrompt } from "./visual-prompt.ts";

export const attachments = {
  visual_prompt: visualPrompt,
  bag_pool: bagPool,
  bag_tokens: bagTokens,
  output_mapping: outputMapping,
  projection_head: projectionHead,
  score_head: scoreHead,
} as const;

export type AttachmentName = keyof typeof attachments;
