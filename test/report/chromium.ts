/** Drives a headless Chromium over its debugging pipe, with Node alone, for tests of rendered pages. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

/** Events from the browser: console errors, policy violations, requests. */
export interface BrowserEvent {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

export interface Browser {
  /** Opens a file in a window of this size in CSS pixels; resolves when it is loaded. */
  open(file: string, view: { readonly width: number; readonly height: number; readonly dark?: boolean }): Promise<void>;
  /** The value of an expression in the page. */
  evaluate<T>(expression: string): Promise<T>;
  /** A PNG of the window, or of the whole page. */
  screenshot(o?: { readonly full?: boolean; readonly scale?: number }): Promise<Buffer>;
  /** All events since the start. */
  readonly events: readonly BrowserEvent[];
  close(): Promise<void>;
}

/** The command of an installed Chromium; null if there is none. */
export function findChromium(): string | null {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      execFileSync(name, ["--version"], { stdio: "ignore" });
      return name;
    } catch {}
  }
  return null;
}

/** Starts the browser with a temporary profile and without network services. */
export async function openBrowser(command: string): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), "viva-chromium-"));
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"];
  const child = spawn(
    command,
    [...flags, "--disable-background-networking", "--remote-debugging-pipe", `--user-data-dir=${profile}`],
    { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
  );
  const events: BrowserEvent[] = [];
  const send = connect(child, events);
  const { targetId } = await send<{ targetId: string }>("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await send<{ sessionId: string }>("Target.attachToTarget", { targetId, flatten: true });
  const page = <T>(method: string, params: object = {}) => send<T>(method, params, sessionId);
  for (const domain of ["Page", "Runtime", "Log", "Network"]) await page(`${domain}.enable`);
  return {
    events,
    async open(file, { width, height, dark = false }) {
      await page("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 });
      const features = [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }];
      await page("Emulation.setEmulatedMedia", { features });
      const before = events.length;
      await page("Page.navigate", { url: `file://${file}` });
      while (!events.slice(before).some(({ method }) => method === "Page.loadEventFired")) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async evaluate<T>(expression: string) {
      const { result } = await page<{ result: { value: T } }>("Runtime.evaluate", { expression, returnByValue: true });
      return result.value;
    },
    async screenshot({ full = false, scale = 1 } = {}) {
      const { cssContentSize, cssLayoutViewport } = await page<Metrics>("Page.getLayoutMetrics");
      const { clientWidth, clientHeight } = cssLayoutViewport;
      const height = full ? cssContentSize.height : clientHeight;
      const { pageY } = cssLayoutViewport;
      const clip = { x: 0, y: full ? 0 : pageY, width: clientWidth, height, scale };
      const { data } = await page<{ data: string }>("Page.captureScreenshot", { clip, captureBeyondViewport: true });
      return Buffer.from(data, "base64");
    },
    async close() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      await send("Browser.close").catch(() => child.kill());
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

interface Metrics {
  readonly cssContentSize: { readonly height: number };
  readonly cssLayoutViewport: { readonly clientWidth: number; readonly clientHeight: number; readonly pageY: number };
}

/** Messages are JSON texts that end in a NUL byte. */
function connect(child: ChildProcess, events: BrowserEvent[]) {
  const [input, output] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let next = 1;
  let pending = "";
  output.setEncoding("utf8").on("data", (chunk: string) => {
    const parts = (pending + chunk).split("\0");
    pending = parts.pop()!;
    for (const part of parts) {
      const { id, result, error, ...event } = JSON.parse(part);
      const call = waiting.get(id);
      waiting.delete(id);
      if (call === undefined) events.push(event);
      else if (error === undefined) call.resolve(result);
      else call.reject(new Error(`chromium: ${error.message}`));
    }
  });
  child.on("exit", () => {
    for (const { reject } of waiting.values()) reject(new Error("chromium ended"));
  });
  input.on("error", () => {});
  return <T>(method: string, params: object = {}, sessionId?: string): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const id = next++;
      waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
}
