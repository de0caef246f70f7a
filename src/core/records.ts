/** The plain records that layers exchange: examples, messages, prompts, completions, rollout groups, token batches. */
import type { GreyWindow } from "./windows.ts";

/** 8-bit pixels, row by row, channels interleaved. */
export interface RawImage {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** In pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** Which values of an image become black and white, where its format leaves that open. */
export interface ImageView {
  /** Of a 16-bit image; absent: its full range. */
  readonly range?: readonly [low: number, high: number];
  /** Of a grey DICOM image or a NIfTI slice; absent: as its file says. */
  readonly window?: GreyWindow;
}

/**
 * An image by file path, with `#frame=N` behind it for one of several in a DICOM or NIfTI file; by pixels for generated images, or by
 * a file's content for one received over a connection (then `path` is a name such as "phantom:chest/7/12").
 */
export interface ImageRef extends ImageView {
  readonly path: string;
  /** A generated set draws it when it is first read; `"pixels" in ref` tells that there is one. */
  readonly pixels?: RawImage;
  readonly bytes?: Uint8Array;
  /** The image that `pixels` is a smaller view of, for tools that look closer; no model sees it by itself. */
  readonly original?: RawImage;
  /** Millimetres between the centres of neighbouring pixels of `pixels`, where known. */
  readonly spacing?: number;
}

/** Yes or no; free text; one of the options; any number of the options ("A,C"); a number. */
export const ANSWER_TYPES = ["closed", "open", "choice", "multi", "numeric"] as const;
export type AnswerType = (typeof ANSWER_TYPES)[number];

/** The number that a numeric question asks for. */
export interface NumericTarget {
  readonly value: number;
  /** "mm", "months"; answers in other units of its kind are converted. */
  readonly unit?: string;
  /** Largest difference that counts as right, in the target's unit; default 0. */
  readonly tolerance?: number;
  /** Of a survival time: false where the patient was alive when last seen (censored), so every later time is right too. */
  readonly event?: boolean;
}

export type FactValue = string | number | boolean | readonly FactValue[] | { readonly [name: string]: FactValue };

/** Known facts of an image, e.g. { modality: "x-ray", findings: [{ finding: "opacity", side: "left" }] }. */
export type Facts = Readonly<Record<string, FactValue>>;

/** A way to put a question: an instruction that stands behind it, and what it is called. */
export interface Variant {
  readonly name: string;
  readonly instruction: string;
}

/** One question about one or more images. */
export interface Example {
  readonly id: string;
  /** Patient id, or image id if the patient is unknown: a subject belongs to one split only. */
  readonly subjectId: string;
  readonly question: string;
  /** Turns that come before the question, such as the groups of a table, each acknowledged. */
  readonly before?: readonly string[];
  readonly images: readonly ImageRef[];
  readonly answer: string;
  readonly answerType: AnswerType;
  /** Option texts in order (A, B, …); empty unless `answerType` is "choice" or "multi". */
  readonly choices: readonly string[];
  /**
   * Which of `choices` is right; set where `answerType` is "choice", and `answer` is its text. Of "multi", `answer` has
   * the letters: "A,C".
   */
  readonly answerIndex?: number | undefined;
  /** Set where `answerType` is "numeric"; `answer` is it in words: "24 mm". */
  readonly target?: NumericTarget | undefined;
  /** Reference reasoning, where the data has one. */
  readonly rationale?: string;
  readonly facts?: Facts;
  /** One of several ways in which the question is put; absent: as it is. */
  readonly variant?: Variant;
  /** Strata for break-downs: modality, organ, content_type, question_type… */
  readonly meta: Readonly<Record<string, string>>;
}

export type MessageContent =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image"; readonly image: ImageRef };

/** One turn of a chat, as chat templates expect it. */
export interface Message {
  readonly role: "system" | "user" | "assistant";
  /** A user's turn that is what a tool gave back: it is put as it is, in no template of questions. */
  readonly answersCall?: true;
  readonly content: readonly MessageContent[];
}

/** A preprocessed image, ready for the vision tower. */
export interface ImageFeatures {
  /** [patches, channels x temporal x patch x patch], row-major, frame by frame, in the tower's own patch order. */
  readonly patches: Float32Array;
  /**
   * Frames, and patches of a frame in height and width. Frames (time steps, or tiles of a large image) do not attend to
   * each other.
   */
  readonly grid: readonly [number, number, number];
  /** Content hash of the original pixels or file, for caches and rollout records. */
  readonly sha256: string;
  /** Size before resizing, in pixels. */
  readonly width: number;
  readonly height: number;
  /**
   * The resized image that the patches were cut from: a processor of the same model cuts the same ones from it. Absent where
   * an image becomes several frames.
   */
  readonly pixels?: RawImage;
  /** Added to what the tower's first layer makes of the patches, [patches, tower width]; such an image has a hash of its own. */
  readonly embeddingChange?: Float32Array;
  /** What the language model is given in place of the tower's output, [image tokens, numbers of one]; patches are unread. */
  readonly features?: Float32Array;
}

/** Where an image can be differentiated by: its patches, their embeddings, or what the language model is given of it. */
export type ImageSite = "pixels" | "patch_embedding" | "image_tokens";

/** A tokenised prompt: image placeholders already expanded to one token per image feature. */
export interface Prompt {
  readonly text: string;
  readonly tokenIds: Int32Array;
  readonly images: readonly ImageFeatures[];
  /** The answers there are to choose from, as the model is to write them; absent: any text. */
  readonly options?: readonly string[];
  /** The adapter that is to answer, where prompts are routed; null for the model's own weights. */
  readonly expert?: string | null;
}

/**
 * What can be told of the distribution at each token, in nats: its entropy; how sure it is (self-certainty: the mean over the
 * vocabulary of −log p under the plain softmax at this temperature); the token's own logit before the temperature.
 */
export const TOKEN_STATS = ["entropy", "self_certainty", "logit"] as const;
export type TokenStat = (typeof TOKEN_STATS)[number];

/** What a tool is, as a model is told of it. */
export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  /** JSON schema of its arguments. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface ToolCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** What a call gives back; an error is an observation too. */
export interface Observation {
  readonly text: string;
  readonly image?: ImageRef;
  readonly isError: boolean;
}

/** A turn of the policy in a completion with tools. */
export interface CompletionTurn {
  readonly text: string;
  /** Null where the turn has none, or none that can be read. */
  readonly call: ToolCall | null;
  /** Null where the completion ends with this turn. */
  readonly observation: Observation | null;
}

/** Consecutive tokens of a completion by who wrote them: observations are read, never learned. */
export interface Segment {
  readonly by: "policy" | "observation";
  readonly tokens: number;
}

/** How the thought of a completion ended, where a controller could end it. */
export interface ThoughtEnd {
  /** Sentences after which it was ended; null: it went to its own end. */
  readonly sentences: number | null;
  /** Trial answers, and the tokens that were sampled or scored for them beside the completion's own. */
  readonly trials: number;
  readonly trialTokens: number;
}

export interface Completion {
  /** Includes the stop token if it was sampled. */
  readonly tokenIds: Int32Array;
  /**
   * Natural-log probabilities under the distribution that was sampled from; same length as `tokenIds`, 0 for observations.
   */
  readonly logProbs: Float32Array;
  /** Of a completion with tools, its last turn: there the answer stands. */
  readonly text: string;
  /** With tools: who wrote which tokens, in order; absent: the policy all of them. */
  readonly segments?: readonly Segment[];
  /** With tools: the images whose placeholders are among the tokens, in order. */
  readonly images?: readonly ImageFeatures[];
  /** With tools: what the policy wrote, and what came back. */
  readonly turns?: readonly CompletionTurn[];
  readonly finishReason: "stop" | "length";
  readonly policyVersion: number;
  /** Those that were asked for, one value per token. */
  readonly stats?: Readonly<Partial<Record<TokenStat, Float32Array>>>;
  /** Present where thoughts are ended early. */
  readonly thought?: ThoughtEnd;
}

/** One value for every token of a completion, or one per token, in order. */
export type TokenValues = number | Float32Array;

/** What a part of a completion earned. */
export interface StepScore {
  /** UTF-16 offset in the completion's text behind the part's last character. */
  readonly end: number;
  readonly score: number;
}

/** Span of a completion on which a reward based its value. */
export interface Evidence {
  readonly reward: string;
  readonly start: number;
  readonly end: number;
  readonly label: string;
  readonly concept?: string;
  readonly verdict: boolean | "unknown";
}

/** Completions of one prompt with their rewards. */
export interface RolloutGroup {
  readonly id: string;
  readonly example: Example;
  readonly prompt: Prompt;
  readonly completions: readonly Completion[];
  /** By reward name, one value per completion; null where the reward does not apply. */
  readonly rewards: Readonly<Record<string, readonly (number | null)[]>>;
  /** Weighted sum per completion; null when every reward was null. */
  readonly reward: readonly (number | null)[];
  readonly advantages: readonly TokenValues[];
  /** The question that this group and others answer, each in a variant; their outcomes are compared with each other. */
  readonly parent?: string;
  /** How the question was put. */
  readonly variant?: string;
  /** Completions that are trained on, where the stage chooses; absent: all. */
  readonly chosen?: readonly boolean[];
}

export interface SamplingOptions {
  readonly numGenerations: number;
  readonly maxCompletionLength: number;
  /** 0 is greedy. */
  readonly temperature: number;
  /** 1 keeps all. */
  readonly topP: number;
  /** 0 keeps all. */
  readonly topK: number;
  readonly seed: number;
  /** Distinguishes samples of the same prompt at different steps. */
  readonly step: number;
  /** Number of completions decoded concurrently. */
  readonly rows?: number;
  /** The completions are trained on before the weights change: the vision tower's activations are saved for that. */
  readonly trainsNext?: boolean;
  /** What completions are to tell of their tokens; absent: nothing, at no cost. */
  readonly tokenStats?: readonly TokenStat[];
  /** Ends a completion, and belongs to it. */
  readonly stopText?: string;
  /** By prompt; absent: prompts go by their index and `maxCompletionLength`. */
  readonly each?: readonly PromptSampling[];
}

/** A prompt's own part of sampling options. */
export interface PromptSampling {
  /** What its draws depend on besides seed and step, in place of its index. */
  readonly draws: readonly number[];
  readonly maxCompletionLength: number;
}

/** The completions of the prompt at `index` of the call. */
export interface RolloutResult {
  readonly index: number;
  readonly completions: readonly Completion[];
}
