/** What turns messages into a model's input and its tokens into text: one implementation per model family. */
import type { ImageSize, Message, Prompt } from "./records.ts";

/** How messages become a prompt's text. */
export type PromptTemplate = "chat" | "transcript" | "document";

export interface EncodeOptions {
  /** Ends the prompt with the opening of an assistant turn; default true. */
  readonly addGenerationPrompt?: boolean;
  /** Relative image paths count from here; default the working directory. */
  readonly baseFolder?: string;
  /** Text the assistant's turn begins with, e.g. "<think>"; part of the prompt. Needs the generation prompt. */
  readonly assistantPrefix?: string;
  /**
   * The model's chat template (default), or a transcript in plain words for models that were never taught one: the system
   * text on a line, then "User: …" and "Assistant: …" lines; or the parts alone without any turn, to pre-train on documents.
   */
  readonly template?: PromptTemplate;
}

/** What a prompt would be, told from the sizes of its images alone. */
export interface PromptLayout {
  /** As `encode` gives them. */
  readonly tokenIds: Int32Array;
  /** Features that the vision tower gives for each image, in the prompt's order. */
  readonly imageFeatures: readonly number[];
}

export interface Processor {
  /**
   * Renders the chat template, loads the images and expands their placeholders. Throws UserError for an image that cannot
   * be read, and for text that spells one of the model's special tokens: it could pass for an image or end a turn.
   */
  encode(messages: readonly Message[], options?: EncodeOptions): Promise<Prompt>;
  /**
   * What `encode` gives where the prompt's images have these sizes, one after the other, without reading them; so a whole
   * data set is looked over in seconds. Throws UserError as `encode` does, but for what only reading an image shows.
   */
  layOut(messages: readonly Message[], sizes: readonly ImageSize[], options?: EncodeOptions): PromptLayout;
  /** The tokens of a whole assistant turn, the end-of-turn token included. Throws UserError for special tokens in `text`. */
  encodeCompletion(text: string): Int32Array;
  /** The text of sampled tokens, special tokens left out. */
  decode(ids: ArrayLike<number>): string;
  /** Any of these ends a completion. */
  readonly stopTokenIds: readonly number[];
  /** The placeholder that is repeated once per image feature. */
  readonly imageTokenId: number;
  /** An image feature comes from mergeSize x mergeSize patches. */
  readonly mergeSize: number;
  /** What was supplied because the model's files lack it, a sentence each: to be told once, as a warning. */
  readonly notices: readonly string[];
}
