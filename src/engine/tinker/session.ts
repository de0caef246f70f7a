/** A session with a server, kept alive from a thread of its own; the models made in it live as long as it does. */
import type { Worker } from "node:worker_threads";
import { replies } from "../../tinker/index.ts";
import { startWorker } from "../start-worker.ts";
import type { Connection } from "./connection.ts";
import type { Heartbeat } from "./heartbeat-worker.ts";
import { createRemoteModel, type ModelRequest, type RemoteModel } from "./remote-model.ts";

export interface RemoteSession {
  /** A model with fresh adapters in this session. */
  createModel(o: Pick<ModelRequest, "baseModel" | "rank" | "seed">): Promise<RemoteModel>;
  /** Begins a new session in place of one that the server does not know any more. */
  renew(): Promise<void>;
  close(): Promise<void>;
}

/** Servers end sessions after minutes, some after 30 seconds. */
const HEARTBEAT_SECONDS = 10;

export async function openRemoteSession(connection: Connection): Promise<RemoteSession> {
  const begin = async () => {
    const body = { type: "create_session", tags: ["viva"], user_metadata: {}, sdk_version: "viva" };
    return (await connection.post("create_session", body, replies.createdSession)).session_id;
  };
  let id = await begin();
  let models = 0;
  const heartbeat: Heartbeat = {
    url: connection.url("session_heartbeat"),
    headers: connection.headers,
    seconds: HEARTBEAT_SECONDS,
  };
  const worker: Worker = startWorker(new URL("./heartbeat-worker.ts", import.meta.url), heartbeat);
  worker.on("error", () => {}); // without it the server ends the session, which whoever uses it is told
  worker.unref();
  worker.postMessage(id);
  return {
    createModel: (o) => createRemoteModel(connection, { ...o, sessionId: id, modelSeqId: models++ }),
    async renew() {
      id = await begin();
      models = 0;
      worker.postMessage(id);
    },
    async close() {
      await worker.terminate();
    },
  };
}
