/**
 * The requests that are being served: how many may wait, which may prepare their images, and how they end when the client
 * leaves, the time is up or the server stops. Every request that enters leaves exactly once.
 */
import { ApiError } from "./api-error.ts";

export interface PoolLimits {
  /** Requests that wait for their first token. */
  readonly maxQueue: number;
  /** From a request's arrival to its end. */
  readonly requestTimeoutSeconds: number;
}

export interface Load {
  /** Requests that wait for their first token. */
  readonly queue: number;
  /** Completions that are being decoded. */
  readonly rows: number;
}

/** Requests whose images are decoded, or whose prompts wait in the engine, at one time: bounds the memory of pixels. */
const PREPARING = 4;
/** A queue that is full has moved on by then. */
const RETRY_AFTER_SECONDS = "2";

export class RequestPool {
  readonly #limits: PoolLimits;
  readonly #requests = new Set<PoolRequest>();
  #turns: (() => void)[] = [];
  #preparing = 0;
  #queue = 0;
  #rows = 0;
  #closed = false;
  #onEmpty = () => {};

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  get load(): Load {
    return { queue: this.#queue, rows: this.#rows };
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Throws ApiError: 503 when the server stops, 429 when the queue is full. */
  enter(): PoolRequest {
    if (this.#closed) throw stopping();
    if (this.#queue >= this.#limits.maxQueue) {
      const message = `${this.#queue} requests are waiting, no more are taken: try again later`;
      throw new ApiError(429, message, { code: "queue_full", headers: { "retry-after": RETRY_AFTER_SECONDS } });
    }
    const seconds = this.#limits.requestTimeoutSeconds;
    const request: PoolRequest = new PoolRequest(seconds, {
      turn: (go) => this.#turn(go),
      withdraw: (go) => {
        this.#turns = this.#turns.filter((own) => own !== go);
      },
      passTurn: () => this.#passTurn(),
      queue: (by) => {
        this.#queue += by;
      },
      rows: (by) => {
        this.#rows += by;
      },
      left: () => {
        this.#requests.delete(request);
        if (this.#requests.size === 0) this.#onEmpty();
      },
    });
    this.#requests.add(request);
    return request;
  }

  /** Lets no request in any more; those inside have so many seconds to end before they are aborted. */
  async close(graceSeconds: number): Promise<void> {
    this.#closed = true;
    const emptied = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    if (this.#requests.size === 0) return;
    const timer = setTimeout(() => {
      for (const request of this.#requests) request.abort(stopping());
    }, graceSeconds * 1000);
    await emptied;
    clearTimeout(timer);
  }

  #turn(go: () => void): void {
    if (this.#preparing >= PREPARING) {
      this.#turns.push(go);
      return;
    }
    this.#preparing++;
    go();
  }

  #passTurn(): void {
    const next = this.#turns.shift();
    if (next === undefined) this.#preparing--;
    else next();
  }
}

interface PoolHooks {
  /** Calls when it is the caller's turn, which is then to be passed on. */
  turn(go: () => void): void;
  withdraw(go: () => void): void;
  passTurn(): void;
  queue(by: number): void;
  rows(by: number): void;
  left(): void;
}

/** A request inside the pool. */
export class PoolRequest {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #hooks: PoolHooks;
  #waits = true;
  #hasTurn = false;
  #rows = 0;
  #left = false;

  constructor(timeoutSeconds: number, hooks: PoolHooks) {
    this.#hooks = hooks;
    hooks.queue(1);
    const late = new ApiError(504, `not done within ${timeoutSeconds} s`, { code: "timeout" });
    this.#timer = setTimeout(() => this.abort(late), timeoutSeconds * 1000);
  }

  /** Aborted, with the reason, when the answer is no longer wanted. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** Waits for this request's turn to prepare its prompt, which ends with the first token. Throws what it is aborted with. */
  async turn(): Promise<void> {
    const { signal } = this;
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const go = () => {
        signal.removeEventListener("abort", onAbort);
        this.#hasTurn = true;
        resolve();
      };
      const onAbort = () => {
        this.#hooks.withdraw(go);
        reject(signal.reason);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#hooks.turn(go);
    });
  }

  /** The first token has come. */
  started(): void {
    if (this.#hasTurn) this.#hooks.passTurn();
    if (this.#waits) this.#hooks.queue(-1);
    this.#hasTurn = false;
    this.#waits = false;
  }

  rowStarted(): void {
    this.#rows++;
    this.#hooks.rows(1);
  }

  rowEnded(): void {
    this.#rows--;
    this.#hooks.rows(-1);
  }

  /** To be called at the end, whatever it was; further calls do nothing. */
  leave(): void {
    if (this.#left) return;
    this.started();
    this.#left = true;
    clearTimeout(this.#timer);
    this.#hooks.rows(-this.#rows);
    this.#hooks.left();
  }
}

function stopping(): ApiError {
  return new ApiError(503, "the server is stopping", { code: "shutting_down", headers: { connection: "close" } });
}
