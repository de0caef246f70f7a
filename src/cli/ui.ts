/** viva ui: watch runs, read their rollouts, compare and judge them, in a browser on this machine. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { setPriority } from "node:os";
import { Command } from "commander";
import { messageOf, UserError } from "../core/errors.ts";
import { generatedImagesOf } from "../session/generated-images.ts";
import { liveAnswers } from "../session/live-answers.ts";
import { modelViews } from "../session/model-view.ts";
import { accessFor, openLibrary, readPages, realRoots, startUi, type UiOptions, type UiServer } from "../ui/index.ts";
import { collect, type Interruption, wholeNumber } from "./arguments.ts";

interface UiCommandOptions {
  readonly port: number;
  readonly host: string;
  readonly origin?: string;
  readonly images: readonly string[];
  readonly open?: boolean;
  readonly play: boolean;
  readonly json?: boolean;
}

export function uiCommand(interruption: Interruption, version: string): Command {
  return new Command("ui")
    .argument("[root...]", "folders that hold runs and studies (default: runs)")
    .option("--port <n>", "port; 0 takes a free one", wholeNumber(0, 65535), 8321)
    .option("--open", "open the page in the browser")
    .option("--images <folder>", "show images that lie in this folder too (repeatable)", collect, [])
    .option("--no-play", "do not let the page ask checkpoints questions")
    .option("--host <address>", "address to listen on; one that others can reach needs --origin", "127.0.0.1")
    .option("--origin <url>", "with --host: where the page is opened, as https://station.clinic")
    .option("--json", "print where it listens as JSON")
    .action((roots: readonly string[], options: UiCommandOptions) =>
      interruption.during(async (signal) => {
        const server = await openUi(roots, options, version);
        try {
          if (options.json) console.log(JSON.stringify({ url: server.url }));
          else console.log(`viva ui: ${server.url} ; Ctrl-C stops`);
          if (options.open) openBrowser(server.url);
          await aborted(signal);
        } finally {
          await server.close();
        }
      }),
    );
}

/** Throws UserError for a folder that is not there and an address that cannot be taken. */
async function openUi(given: readonly string[], o: UiCommandOptions, version: string): Promise<UiServer> {
  if (given.length === 0 && !existsSync("runs")) {
    throw new UserError("there is no folder runs here; name the folders that hold runs: viva ui FOLDER");
  }
  const roots = given.length === 0 ? ["runs"] : given;
  const access = accessFor(o.host, o.origin);
  lowerPriority();
  return startUi({ ...uiServices(roots, o, version), access, host: o.host, port: o.port, pages: readPages() });
}

/** What the pages of these folders are served with. Throws UserError for a folder that is not there. */
export function uiServices(
  roots: readonly string[],
  o: { readonly images: readonly string[]; readonly play: boolean },
  version: string,
): Omit<UiOptions, "access"> {
  return {
    library: openLibrary(realRoots(roots)),
    imageRoots: realRoots(o.images),
    generated: memoized(generatedImagesOf),
    modelView: modelViews(),
    play: o.play ? liveAnswers() : null,
    version,
    onFailure: (error) => console.error(`error: ${error instanceof Error ? error.stack : messageOf(error)}`),
  };
}

/** A run that is watched comes first. */
function lowerPriority(): void {
  try {
    setPriority(10);
  } catch {} // not allowed here
}

function memoized<T>(make: (key: string) => T): (key: string) => T {
  const made = new Map<string, T>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}

/** Quiet where there is no browser: the address is printed anyway. */
function openBrowser(url: string): void {
  const [command, ...args] =
    process.platform === "darwin"
      ? ["open", url]
      : process.platform === "win32"
        ? ["cmd", "/c", "start", "", url]
        : ["xdg-open", url];
  spawn(command!, args, { stdio: "ignore", detached: true })
    .on("error", () => {})
    .unref();
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
