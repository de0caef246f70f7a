/** Starts and stops a server of the Tinker API over one base model. */
import { type Address, type Listening, listenOn, requireKeyBeyondLoopback } from "../listen.ts";
import { createTinkerApp } from "./app.ts";
import { scoring } from "./losses.ts";
import type { TinkerLimits } from "./served-model.ts";
import { TinkerService, type TinkerServiceOptions } from "./service.ts";

export interface TinkerServeOptions extends Omit<TinkerServiceOptions, "limits" | "onFailure">, Address {
  /** Told of failures that are not the client's; `fatal` when the engine is gone. */
  readonly onFailure: (error: unknown, fatal: boolean) => void;
  readonly limits: TinkerLimits & { readonly maxBodyBytes: number };
}

export interface RunningTinkerServer {
  /** What clients are given as base_url, e.g. http://127.0.0.1:8000 . */
  readonly baseUrl: string;
  readonly load: TinkerService["load"];
  /** Ends all sessions; saved checkpoints stay. */
  close(): Promise<void>;
}

/** Throws UserError for an address that cannot be taken, and for one that others can reach when there is no key. */
export async function startTinkerServer(o: TinkerServeOptions): Promise<RunningTinkerServer> {
  requireKeyBeyondLoopback(o);
  // One client's weights may be at fault; an engine that answers nothing is gone for all.
  const onFailure = (error: unknown) => {
    const tell = (fatal: boolean) => o.onFailure(error, fatal);
    void o.model.engine.policy.logProbs([], scoring).then(
      () => tell(false),
      () => tell(true),
    );
  };
  const service = new TinkerService({ ...o, onFailure });
  const app = createTinkerApp({ ...o, onFailure, service, maxBodyBytes: o.limits.maxBodyBytes });
  let listening: Listening;
  try {
    listening = await listenOn(app.fetch, o);
  } catch (error) {
    await service.close();
    throw error;
  }
  return {
    baseUrl: listening.origin,
    get load() {
      return service.load;
    },
    async close() {
      await listening.close(async () => {});
      await service.close();
    },
  };
}
