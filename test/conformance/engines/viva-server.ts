/** viva's own Tinker server over a model folder, on loopback, as `viva serve --tinker` starts it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLocalEngine } from "../../../src/engine/local/local-engine.ts";
import { openProcessor } from "../../../src/models/index.ts";
import { startTinkerServer } from "../../../src/server/tinker/server.ts";

export interface VivaServer {
  readonly url: string;
  /** Forgets its sessions and models, and is there again on the same port with what was saved. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export async function serveViva(folder: string): Promise<VivaServer> {
  const processor = await openProcessor(folder);
  const store = mkdtempSync(join(tmpdir(), "viva-tinker-"));
  const options = { modelFolder: folder, initialise: "pretrained", seed: 0, freeze: [], threads: 1 } as const;
  const engine = await openLocalEngine({ ...options, microBatchTokens: 4096, rows: 64 }, processor);
  const { contextLength, policy, decode, adapters } = engine;
  const start = (port: number) =>
    startTinkerServer({
      ...{ host: "127.0.0.1", port, apiKey: null, store },
      model: {
        ...{ name: "tiny", tokenizer: "tiny", fingerprint: "same", processor, adapters: adapters! },
        engine: { contextLength, policy, decode },
      },
      limits: {
        ...{ maxBodyBytes: 20_000_000, maxImagePixels: 1_000_000, maxCompletionLength: 200 },
        ...{ maxPending: 256, maxModels: 4, maxSessions: 16, sessionTimeoutSeconds: 120 },
      },
      onFailure: () => {}, // told to the client too
    });
  let server = await start(0);
  const url = server.baseUrl;
  return {
    url,
    async restart() {
      await server.close();
      server = await start(Number(new URL(url).port));
    },
    async close() {
      await server.close();
      await engine.close();
      rmSync(store, { recursive: true, force: true });
    },
  };
}
