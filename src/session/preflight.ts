/**
 * Looks over all examples before the first step: every image can be opened, a prompt's image tokens are as many as its image
 * features, and prompt and completion fit the model's context. Prompts are never cut, so none can be cut inside an image.
 */
import { encodeOptions, encodeQuestion, type PromptStyle, questionMessages, type Shots } from "../answers/prompts.ts";
import { refuseTags } from "../answers/tags-in-data.ts";
import { messageOf, UserError } from "../core/errors.ts";
import { meanOf } from "../core/mean.ts";
import type { Processor } from "../core/processor.ts";
import type { Example, ImageRef, ImageSize } from "../core/records.ts";
import { type DataNotice, dataNotices } from "../data/index.ts";
import { imageSize } from "../io/images.ts";
import type { SkippedExample } from "../train/batches.ts";

export interface PreflightOptions {
  /** The recipe's key of these examples. */
  readonly data: string;
  readonly processor: Processor;
  readonly prompt: PromptStyle;
  /** The most solved examples that stand before a question anywhere; none by default. */
  readonly shots?: (example: Example) => Shots;
  readonly contextLength: number;
  /** The completions that an example's prompt must leave room for: where in the recipe they are asked for, and their tokens. */
  readonly completions: (example: Example) => readonly { readonly key: string; readonly tokens: number }[];
  readonly onBadImage: "error" | "skip";
  readonly onTooLong: "error" | "skip";
  /** Left out before. */
  readonly missing: readonly SkippedExample[];
  /** What is known of the data already. */
  readonly notices?: readonly DataNotice[];
}

/** Why an example is left out. */
export type DropReason = "image_missing" | "image_or_text" | "too_long";

/** What was found; the row of events.jsonl. */
export interface PreflightReport {
  readonly data: string;
  /** Before anything was left out. */
  readonly examples: number;
  readonly kept: number;
  /** Different image files among them. */
  readonly images: number;
  readonly prompt_tokens_mean: number;
  readonly prompt_tokens_max: number;
  readonly image_tokens_max: number;
  /** The example with the most tokens, its longest completion included. */
  readonly longest: { readonly example_id: string; readonly tokens: number };
  readonly dropped: Readonly<
    Partial<Record<DropReason, { readonly count: number; readonly first: readonly string[] }>>
  >;
  /** What may not be meant, though it can be used. */
  readonly notices: readonly DataNotice[];
}

export interface Preflight {
  readonly kept: readonly Example[];
  readonly skipped: readonly SkippedExample[];
  readonly report: PreflightReport;
}

/** Examples looked at together: their image headers are read at the same time. */
const CHUNK = 64;
/** Ids in a report. */
const FIRST = 5;

/** One example's tokens, or why it cannot be used. */
type Finding =
  | { readonly example: Example; readonly prompt: number; readonly image: number; readonly total: number }
  | { readonly example: Example; readonly reason: DropReason; readonly message: string };

/** Throws UserError where an example must not be left out, and where none is left. */
export async function preflight(examples: readonly Example[], o: PreflightOptions): Promise<Preflight> {
  const sizes = new Map<string, Promise<ImageSize | UserError>>();
  const sizeOf = (image: ImageRef) => {
    const known = sizes.get(image.path) ?? imageSize(image).catch(userErrorOf);
    sizes.set(image.path, known);
    return known;
  };
  const findings: Finding[] = [];
  for (let start = 0; start < examples.length; start += CHUNK) {
    const chunk = examples.slice(start, start + CHUNK);
    findings.push(...(await Promise.all(chunk.map((example) => examine(example, o, sizeOf)))));
  }
  const bad = findings.filter((finding) => "reason" in finding);
  const good = findings.filter((finding) => "total" in finding);
  refuse(bad, examples.length, o);
  if (good.length === 0) {
    const [first] = bad;
    const why = first === undefined ? "" : `; the first, "${first.example.id}", because: ${first.message}`;
    throw new UserError(`${o.data}: none of the ${examples.length + o.missing.length} examples can be used${why}`);
  }
  const longest = good.reduce((a, b) => (b.total > a.total ? b : a));
  await compareWithEncoding(longest, o);
  const kept = good.map(({ example }) => example);
  const dropped = (reason: DropReason, ids: readonly string[]) =>
    ids.length === 0 ? {} : { [reason]: { count: ids.length, first: ids.slice(0, FIRST) } };
  const idsOf = (reason: DropReason) => bad.filter((found) => found.reason === reason).map(({ example }) => example.id);
  return {
    kept,
    skipped: bad.map(({ example, message }) => ({ example_id: example.id, reason: message })),
    report: {
      data: o.data,
      examples: examples.length + o.missing.length,
      kept: good.length,
      images: sizes.size,
      prompt_tokens_mean: Math.round(meanOf(good.map(({ prompt }) => prompt))),
      prompt_tokens_max: good.reduce((most, { prompt }) => Math.max(most, prompt), 0),
      image_tokens_max: good.reduce((most, { image }) => Math.max(most, image), 0),
      longest: { example_id: longest.example.id, tokens: longest.total },
      dropped: {
        ...dropped(
          "image_missing",
          o.missing.map(({ example_id }) => example_id),
        ),
        ...dropped("image_or_text", idsOf("image_or_text")),
        ...dropped("too_long", idsOf("too_long")),
      },
      notices: [...(o.notices ?? []), ...(await dataNotices(kept))],
    },
  };
}

/** A report in lines for a terminal. */
export function describePreflight(report: PreflightReport): readonly string[] {
  const { data, examples, kept, images, longest } = report;
  const { prompt_tokens_mean: mean, prompt_tokens_max: max, image_tokens_max: image } = report;
  const found =
    `${data}: ${kept} of ${examples} examples, ${images} images; a prompt has ${mean} tokens on average, at most ${max}` +
    ` (images ${image}); the longest is "${longest.example_id}", ${longest.tokens} tokens with its completion`;
  return [found, ...describeDoubts(report).map((line) => `${data}: ${line}`)];
}

/** A line for each reason to leave examples out, and for each notice. */
export function describeDoubts({ dropped, notices }: Pick<PreflightReport, "dropped" | "notices">): readonly string[] {
  return [...describeDropped(dropped), ...notices.map(describeNotice)];
}

/** "3 examples with … (film-1, film-2, film-3)". */
export function describeNotice({ message, count, first }: DataNotice): string {
  return `${message} (${first.join(", ")}${count > first.length ? ", …" : ""})`;
}

const reasons: Readonly<Record<DropReason, string>> = {
  image_missing: "the image file is missing",
  image_or_text: "the image or the text cannot be used",
  too_long: "too long for the model's context",
};

/** A line for each reason: "2 left out, the image file is missing: film-1, film-2". */
function describeDropped(dropped: PreflightReport["dropped"]): readonly string[] {
  return Object.entries(dropped).map(([reason, { count, first }]) => {
    const more = count > first.length ? ", …" : "";
    return `${count} left out, ${reasons[reason as DropReason]}: ${first.join(", ")}${more}`;
  });
}

async function examine(
  example: Example,
  o: PreflightOptions,
  sizeOf: (image: ImageRef) => Promise<ImageSize | UserError>,
): Promise<Finding> {
  const { processor } = o;
  try {
    refuseTags(example, o.prompt.style);
    const sizes: ImageSize[] = [];
    for (const image of example.images) {
      const size = await sizeOf(image);
      if (size instanceof UserError) throw size;
      sizes.push(size);
    }
    const { tokenIds, imageFeatures } = processor.layOut(
      questionMessages(example, o.prompt, o.shots?.(example)),
      sizes,
      encodeOptions(o.prompt),
    );
    const image = tokenIds.reduce((count, id) => count + Number(id === processor.imageTokenId), 0);
    const features = imageFeatures.reduce((sum, count) => sum + count, 0);
    if (image !== features) {
      throw new UserError(`the prompt has ${image} image tokens for ${features} image features`);
    }
    const prompt = tokenIds.length;
    const completions = o.completions(example);
    const total = prompt + Math.max(0, ...completions.map(({ tokens }) => tokens));
    const over = completions.find(({ tokens }) => prompt + tokens > o.contextLength);
    if (over === undefined) return { example, prompt, image, total };
    const message = `${over.key}: a prompt of ${prompt} tokens and a completion of ${over.tokens} do not fit the model's context of ${o.contextLength} tokens`;
    return { example, reason: "too_long", message };
  } catch (error) {
    return { example, reason: "image_or_text", message: userErrorOf(error).message };
  }
}

/** Stops at the first example that may not be left out. */
function refuse(bad: readonly Extract<Finding, { reason: DropReason }>[], of: number, o: PreflightOptions): void {
  const stop = (reason: DropReason, policy: "error" | "skip", say: (message: string, id: string) => string) => {
    const found = bad.filter((finding) => finding.reason === reason);
    if (found.length === 0 || policy === "skip") return;
    const others = found.length === 1 ? "" : `; so it is with ${found.length} of the ${of} examples of ${o.data}`;
    throw new UserError(say(found[0]!.message, found[0]!.example.id) + others);
  };
  stop("image_or_text", o.onBadImage, (message, id) => `example "${id}": ${message}`);
  stop(
    "too_long",
    o.onTooLong,
    (message, id) =>
      `${message} (example "${id}"): lower the length or image.max_pixels, or leave such examples out with data.on_too_long: skip`,
  );
}

/** Encodes one example in full: the tokens must be those that estimated from its image's header. */
async function compareWithEncoding({ example }: { readonly example: Example }, o: PreflightOptions): Promise<void> {
  let encoded: Int32Array;
  try {
    encoded = (await encodeQuestion(o.processor, example, o.prompt, o.shots?.(example))).tokenIds;
  } catch (error) {
    const { message } = userErrorOf(error);
    if (o.onBadImage === "skip") return; // damage behind the header: told when its turn comes
    throw new UserError(`example "${example.id}": ${message}`, { cause: error });
  }
  const sizes = await Promise.all(example.images.map((image) => imageSize(image)));
  const messages = questionMessages(example, o.prompt, o.shots?.(example));
  const { tokenIds } = o.processor.layOut(messages, sizes, encodeOptions(o.prompt));
  if (encoded.length === tokenIds.length && encoded.every((id, i) => id === tokenIds[i])) return;
  throw new Error(
    `internal: example "${example.id}" has ${encoded.length} tokens, its images' sizes give ${tokenIds.length}`,
  );
}

/** A user's mistake; any other error is thrown on. */
function userErrorOf(error: unknown): UserError {
  if (error instanceof UserError) return error;
  throw error instanceof Error ? error : new Error(messageOf(error));
}
