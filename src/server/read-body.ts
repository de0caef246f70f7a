/** Reads a request's body, never holding more of it than is allowed. */
import type { IncomingMessage } from "node:http";
import { messageOf } from "../core/errors.ts";
import { ApiError, badRequest, clientGone } from "./api-error.ts";

/** Reads a body as JSON. Throws ApiError (400, 413, 415), or what the signal is aborted with. */
export async function readJsonBody(incoming: IncomingMessage, maxBytes: number, signal: AbortSignal): Promise<unknown> {
  const type = incoming.headers["content-type"] ?? "";
  if (!/^application\/json *(;|$)/i.test(type)) {
    throw new ApiError(415, "the body must be JSON, with content-type: application/json", {
      code: "unsupported_media_type",
    });
  }
  const bytes = await readBytes(incoming, maxBytes, signal);
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    // The parser quotes what it could not read, which may be of a patient; only the place is told.
    const place = /position \d+/.exec(messageOf(cause))?.[0];
    throw badRequest("body", `the body is not valid JSON${place === undefined ? "" : ` (${place})`}`, "invalid_json");
  }
}

/** Reads a body of any type. Throws ApiError (413, 415), or what the signal is aborted with. */
export async function readBytes(incoming: IncomingMessage, maxBytes: number, signal: AbortSignal): Promise<Buffer> {
  const encoding = incoming.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") {
    throw new ApiError(415, `a body with content-encoding ${encoding.slice(0, 20)} is not read: send it as it is`, {
      code: "unsupported_media_type",
    });
  }
  if (Number(incoming.headers["content-length"] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  return collect(incoming, maxBytes, signal);
}

function collect(incoming: IncomingMessage, maxBytes: number, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (end: () => void) => {
      incoming.off("data", onData).off("end", onEnd).off("error", onGone).off("close", onGone);
      signal.removeEventListener("abort", onAbort);
      end();
    };
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) settle(() => reject(tooLarge(maxBytes)));
      else chunks.push(chunk);
    };
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks)));
    const onGone = () => settle(() => reject(clientGone()));
    const onAbort = () => settle(() => reject(signal.reason));
    incoming.on("data", onData).on("end", onEnd).on("error", onGone).on("close", onGone);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
  });
}

function tooLarge(maxBytes: number): ApiError {
  const message = `the body is larger than ${maxBytes} bytes (--max-body-mb)`;
  // What is still on its way is not waited for, so the connection is of no further use.
  return new ApiError(413, message, { code: "body_too_large", headers: { connection: "close" } });
}
