/** Converts messages to a model's input and its tokens to text: one implementation per model family. */
import type { PixelLayout } from "./pixels.ts";
import type { ImageFeatures, ImageRef, ImageSize, Message, MessageContent, Prompt, RawImage } from "./records.ts";

/** How messages become a prompt's text. */
export type PromptTemplate = "chat" | "transcript" | "document";

export interface EncodeOptions {
  /** Ends the prompt with the opening of an assistant turn; default true. */
  readonly addGenerationPrompt?: boolean;
  /** Folder that relative image paths are resolved against; default the working directory. */
  readonly baseFolder?: string;
  /**
   * Text with which the assistant's turn begins, e.g. "<think>"; part of the prompt. Requires the generation prompt.
   */
  readonly assistantPrefix?: string;
  /**
   * The model's chat template (default); or, for models without chat training, a plain transcript: the system text on a
   * line, then "User: …" and "Assistant: …" lines; or the parts alone without any turn, to pre-train on documents.
   */
  readonly template?: PromptTemplate;
  /** What is asked, with its options, and about whom: for a processor that looks up cases; a model's own reads the messages. */
  readonly about?: { readonly question: string; readonly subjectId: string };
}

/** The layout of a prompt, computed from the sizes of its images alone. */
export interface PromptLayout {
  /** As returned by `encode`. */
  readonly tokenIds: Int32Array;
  /** Number of vision features for each image, in the prompt's order. */
  readonly imageFeatures: readonly number[];
}

/** An image as a part of a prompt. */
export interface ImageTokens {
  readonly tokenIds: Int32Array;
  readonly image: ImageFeatures;
}

/** What a vision tower is given of an image, before its values are normalised. */
export interface ProcessedImage {
  readonly image: RawImage;
  /** Sides of a patch and of what becomes one token, in pixels. */
  readonly patch: number;
  readonly token: number;
  readonly tokens: number;
}

export interface Processor {
  /**
   * Renders the chat template, loads the images and expands their placeholders. Throws UserError for an unreadable
   * image, and for text that contains one of the model's special tokens: it could be mistaken for an image or end a
   * turn.
   */
  encode(messages: readonly Message[], options?: EncodeOptions): Promise<Prompt>;
  /**
   * What `encode` would return for images of these sizes, in order, without reading them, so that a whole data set can
   * be checked in seconds. Throws UserError as `encode` does, except for problems that only reading an image reveals.
   */
  layOut(messages: readonly Message[], sizes: readonly ImageSize[], options?: EncodeOptions): PromptLayout;
  /**
   * An image by itself, for prompts that come as tokens: the tokens that stand for it, without what opens and closes an
   * image in a chat template, and its features. Throws UserError for an unreadable image.
   */
  encodeImage(ref: ImageRef): Promise<ImageTokens>;
  /**
   * The tokens of a whole assistant turn, including the end-of-turn token. Throws UserError for special tokens in
   * `text`.
   */
  encodeCompletion(text: string): Int32Array;
  /**
   * What follows an assistant's turn that was cut off: its end, a user's turn of these parts, and the opening of the next
   * assistant's turn. Throws UserError as `encode` does, and for a template without turns.
   */
  encodeTurn(content: readonly MessageContent[], options?: EncodeOptions): Promise<Prompt>;
  /** The text of sampled tokens, without special tokens. */
  decode(ids: ArrayLike<number>): string;
  /** Any of these ends a completion. */
  readonly stopTokenIds: readonly number[];
  /** The placeholder that is repeated once per image feature. */
  readonly imageTokenId: number;
  /** Each image feature is merged from mergeSize x mergeSize patches. */
  readonly mergeSize: number;
  /** What was supplied because the model's files lack it, a sentence each: to be told once, as a warning. */
  readonly notices: readonly string[];
  /** For people to look at; absent where a family does not cut an image into one grid of patches. */
  processed?(image: ImageRef): Promise<ProcessedImage>;
  /** Which pixels the patches of an image with this grid are cut from; absent like `processed`. */
  pixelLayout?(grid: ImageFeatures["grid"]): PixelLayout;
}
