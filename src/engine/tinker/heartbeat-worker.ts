/** Tells a server every few seconds that a session is still in use; in a thread of its own, which no work can hold up. */
import { parentPort, workerData } from "node:worker_threads";

const { url, headers, seconds } = workerData as Heartbeat;
let sessionId: string | null = null;

/** What the thread is started with; the session's id comes as a message, null for none. */
export interface Heartbeat {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly seconds: number;
}

parentPort!.on("message", (id: string | null) => {
  sessionId = id;
});

setInterval(async () => {
  if (sessionId === null) return;
  const body = JSON.stringify({ session_id: sessionId, type: "session_heartbeat" });
  try {
    const response = await fetch(url, {
      method: "POST",
      body,
      headers: { ...headers, "content-type": "application/json" },
    });
    await response.body?.cancel();
  } catch {} // a server that is away is noticed by whoever asks it for something
}, 1000 * seconds);
