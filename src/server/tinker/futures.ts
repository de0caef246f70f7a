/** Requests that were submitted and their results, which clients fetch by id, also more than once. */
import { randomUUID } from "node:crypto";
import { messageOf, RunError, UserError } from "../../core/errors.ts";
import { ApiError } from "../api-error.ts";

/** What a request comes to: JSON, or a binary message. */
export type Result = { readonly json: object } | { readonly bytes: Uint8Array };

interface Future {
  /** The session it belongs to. */
  readonly owner: string;
  readonly done: Promise<Result>;
  readonly controller: AbortController;
  result: Result | null;
}

/** Results that are kept for clients that ask again; the oldest go first. */
const KEPT_RESULTS = 4096;
const KEPT_BYTES = 256e6;

export class Futures {
  readonly #all = new Map<string, Future>();
  readonly #maxPending: number;
  readonly #onFailure: (error: unknown) => void;
  #pending = 0;
  #bytes = 0;

  /** `onFailure` is told of failures that are not the client's. */
  constructor(maxPending: number, onFailure: (error: unknown) => void) {
    this.#maxPending = maxPending;
    this.#onFailure = onFailure;
  }

  /** Requests without a result. */
  get pending(): number {
    return this.#pending;
  }

  /** Begins work and returns its id; what it throws becomes its result. Throws ApiError (429) where too many are pending. */
  submit(owner: string, work: (signal: AbortSignal) => Promise<Result>): string {
    if (this.#pending >= this.#maxPending) {
      const message = `${this.#pending} requests are pending, no more are taken: try again later`;
      throw new ApiError(429, message, { code: "queue_full", headers: { "retry-after": "2" } });
    }
    const id = randomUUID();
    const controller = new AbortController();
    this.#pending++;
    const done = work(controller.signal).catch((error) => this.#failure(error));
    const future: Future = { owner, done, controller, result: null };
    this.#all.set(id, future);
    void done.then((result) => {
      this.#pending--;
      future.result = result;
      if (this.#all.has(id)) this.#bytes += sizeOf(result);
      this.#forgetOld();
    });
    return id;
  }

  /** The session that a request belongs to. */
  ownerOf(id: string): string | undefined {
    return this.#all.get(id)?.owner;
  }

  /** The result, null if there is none within the time. Throws ApiError (404) for an unknown id. */
  async wait(id: string, milliseconds: number, signal: AbortSignal): Promise<Result | null> {
    const future = this.#all.get(id);
    if (future === undefined)
      throw new ApiError(404, "there is no request of this id (any more)", { code: "not_found" });
    if (future.result !== null) return future.result;
    return new Promise((resolve) => {
      const timer = setTimeout(() => end(null), milliseconds);
      const onAbort = () => end(null);
      const end = (result: Result | null) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        resolve(result);
      };
      signal.addEventListener("abort", onAbort);
      void future.done.then(end);
    });
  }

  /** Nobody wants the result: work that can stop does. */
  cancel(id: string): void {
    this.#all.get(id)?.controller.abort(new UserError("the request was cancelled"));
  }

  /** Cancels and forgets what belongs to a session. */
  drop(owner: string): void {
    for (const [id, future] of this.#all) {
      if (future.owner !== owner) continue;
      future.controller.abort(new UserError("the session has ended"));
      this.#forget(id, future);
    }
  }

  #failure(error: unknown): Result {
    if (error instanceof UserError) return { json: { error: error.message, category: "user" } };
    this.#onFailure(error);
    const message = error instanceof RunError ? messageOf(error) : "the server failed to answer; its log says why";
    return { json: { error: message, category: "server" } };
  }

  #forgetOld(): void {
    for (const [id, future] of this.#all) {
      if (this.#all.size - this.#pending <= KEPT_RESULTS && this.#bytes <= KEPT_BYTES) return;
      if (future.result !== null) this.#forget(id, future);
    }
  }

  #forget(id: string, { result }: Future): void {
    this.#all.delete(id);
    if (result !== null) this.#bytes -= sizeOf(result);
  }
}

function sizeOf(result: Result): number {
  return "bytes" in result ? result.bytes.byteLength : 0;
}
