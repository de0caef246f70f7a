/** viva ui: watch runs, read their rollouts, compare and judge them, in a browser on this machine. */
import { spawn } from "node:child_process";
import { Command } from "commander";
import { aborted } from "../core/aborted.ts";
import { collect, type Interruption, wholeNumber } from "./arguments.ts";
import type { UiCommandOptions } from "./ui-server.ts";

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
        const { openUi } = await import("./ui-server.ts");
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
