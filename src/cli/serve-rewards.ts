/** viva serve --rewards: a recipe's rewards over HTTP, for trainers elsewhere. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../core/errors.ts";
import { loadRecipe } from "../recipes/load.ts";
import { RequestPool } from "../server/request-pool.ts";
import { createRewardApp } from "../server/rewards/app.ts";
import { listenWith } from "../server/server.ts";
import { openServedRewards } from "../session/served-rewards.ts";
import { downloadReporter } from "./options.ts";

export interface ServeRewardsOptions {
  readonly host: string;
  readonly port: number;
  readonly apiKey: string | null;
  readonly set: readonly string[];
  readonly stage?: number;
  readonly maxQueue: number;
  readonly maxBodyMb: number;
  readonly maxRows: number;
  readonly maxImageMegapixels: number;
  readonly requestTimeoutS: number;
  readonly shutdownTimeoutS: number;
  readonly json?: boolean;
}

/** Serves until the signal; then lets running requests end. */
export async function serveRewards(file: string, o: ServeRewardsOptions, signal: AbortSignal): Promise<void> {
  const { recipe } = loadRecipe(file, o.set);
  const folder = mkdtempSync(join(tmpdir(), "viva-rewards-")); // a judge's replies go here
  try {
    const opening = { stage: o.stage ?? null, reporter: downloadReporter(), signal };
    const rewards = await openServedRewards(recipe, folder, opening);
    try {
      const pool = new RequestPool({ maxQueue: o.maxQueue, requestTimeoutSeconds: o.requestTimeoutS });
      const limits = {
        maxBodyBytes: Math.ceil(o.maxBodyMb * 1e6),
        maxPending: o.maxQueue,
        maxRows: o.maxRows,
        maxImagePixels: o.maxImageMegapixels * 1e6,
      };
      const onFailure = (error: unknown) => console.error(`error: ${messageOf(error)}`);
      const app = createRewardApp({ rewards, limits, pool, apiKey: o.apiKey, onFailure });
      const server = await listenWith(app, pool, o);
      const { origin } = server;
      if (o.json) console.log(JSON.stringify({ url: origin, api_key: o.apiKey !== null, ...rewards.about }));
      else {
        const key = o.apiKey === null ? "" : ", with an API key";
        console.log(`serving the rewards of ${recipe.name} at ${origin}${key}; Ctrl-C stops`);
      }
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      await server.close(o.shutdownTimeoutS);
    } finally {
      await rewards.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
