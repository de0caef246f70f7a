/** Clients: each session owns models and samplers, and ends when it falls silent. */
import { randomUUID } from "node:crypto";
import { ApiError } from "../api-error.ts";
import { Answered } from "./sequence.ts";

export interface Session {
  readonly id: string;
  /** What its client said of it. */
  readonly about: { readonly user_metadata?: unknown; readonly display_name?: string | null | undefined };
  /** Of its last sign of life, in milliseconds. */
  seen: number;
  /** Requests to make models and samplers that were answered, by their numbers. */
  readonly models: Answered<string>;
  readonly samplers: Answered<string>;
  /** Folders of weights that were saved without a name, oldest first. */
  readonly snapshots: string[];
}

export class Sessions {
  readonly #all = new Map<string, Session>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#all.size;
  }

  get ids(): readonly string[] {
    return [...this.#all.keys()];
  }

  /** Throws ApiError (429) where there are too many. */
  create(about: Session["about"]): Session {
    if (this.#all.size >= this.#most) {
      throw new ApiError(429, `there are ${this.#all.size} sessions, no more are taken: end one`, { code: "too_many" });
    }
    const id = `session-${randomUUID()}`;
    const session: Session = {
      ...{ id, about },
      seen: Date.now(),
      models: new Answered(),
      samplers: new Answered(),
      snapshots: [],
    };
    this.#all.set(id, session);
    return session;
  }

  /** Counts as a sign of life. Throws ApiError (404) for a session that is not there. */
  get(id: string): Session {
    const session = this.find(id);
    session.seen = Date.now();
    return session;
  }

  /** The same for others than its client: no sign of life. */
  find(id: string): Session {
    const session = this.#all.get(id);
    if (session !== undefined) return session;
    throw new ApiError(404, `there is no session ${id.slice(0, 100)}: it has ended, or the server was started again`);
  }

  /** Counts as a sign of life, where there is such a session. */
  touch(id: string): void {
    if (this.#all.has(id)) this.get(id);
  }

  silentFor(seconds: number): readonly string[] {
    const since = Date.now() - 1000 * seconds;
    return [...this.#all.values()].filter(({ seen }) => seen < since).map(({ id }) => id);
  }

  /** The session that is no more. */
  end(id: string): Session | undefined {
    const session = this.#all.get(id);
    this.#all.delete(id);
    return session;
  }
}
