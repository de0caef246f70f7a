/** What a server's answer to a chat request says: the completion, or the reason why there is none in the server's own words. */

export interface ChatReply {
  readonly text: string;
  /** Null where the server gives another reason or none. */
  readonly finishReason: "stop" | "length" | null;
  /** Completion tokens; null where the server does not tell. */
  readonly tokens: number | null;
}

/** Characters of what a server says of a failure. */
const LONGEST_DETAIL = 300;

interface WireReply {
  readonly choices?: unknown;
  readonly usage?: { readonly completion_tokens?: unknown } | null;
}

interface WireChoice {
  readonly message?: { readonly content?: unknown } | null;
  readonly finish_reason?: unknown;
}

type WirePart = string | { readonly type?: unknown; readonly text?: unknown } | null;

/** The first choice; null where the body has none. A choice that ended without content is an empty answer. */
export function replyOf(body: unknown): ChatReply | null {
  const { choices, usage } = (body ?? {}) as WireReply;
  const choice = Array.isArray(choices) ? (choices[0] as WireChoice | undefined) : undefined;
  const [reason, tokens] = [choice?.finish_reason, usage?.completion_tokens];
  const text = contentText(choice?.message?.content, typeof reason === "string" && reason !== "");
  if (choice?.message == null || text === null) return null;
  return {
    text,
    finishReason: reason === "stop" || reason === "length" ? reason : null,
    tokens: typeof tokens === "number" ? tokens : null,
  };
}

/** A text, or the texts of a list of parts: what else is in it, such as a thought, is no part of the answer. */
function contentText(content: unknown, hasEnded: boolean): string | null {
  if (typeof content === "string") return content;
  if (content === undefined || content === null) return hasEnded ? "" : null;
  if (!Array.isArray(content)) return null;
  const texts = (content as readonly WirePart[]).map((part) => {
    if (typeof part === "string") return part;
    const isText = part?.type === "text" || part?.type === "output_text";
    return isText && typeof part.text === "string" ? part.text : "";
  });
  return texts.join("");
}

/** A body as JSON; undefined where it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The server's own words where a body holds an error as OpenAI, FastAPI or a proxy write it: null for none. */
export function errorText(body: unknown): string | null {
  const { error, detail, message } = (body ?? {}) as Readonly<Record<"error" | "detail" | "message", unknown>>;
  const inner = (error ?? {}) as { readonly message?: unknown };
  for (const words of [inner.message, error, detail, message]) {
    if (typeof words === "string" && words.trim() !== "") return excerpt(words);
  }
  const other = error ?? detail;
  return other === undefined || other === null ? null : excerpt(JSON.stringify(other));
}

/** The beginning of a text, on one line; null where nothing is in it. */
export function excerpt(text: string): string | null {
  const words = text.replace(/\s+/g, " ").trim();
  return words === "" ? null : words.slice(0, LONGEST_DETAIL);
}

/** The HTTP code that an error in a body names, as proxies do whose answer is a 200; null for none. */
export function errorCode(body: unknown): number | null {
  const { error } = (body ?? {}) as { readonly error?: { readonly code?: unknown } | null };
  const code = Number(error?.code);
  return Number.isInteger(code) && code >= 400 && code < 600 ? code : null;
}
