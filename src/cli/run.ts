/** A call of `viva` from its words to its exit code. */
import { readFileSync } from "node:fs";
import { createInterruption, type MainProcess, runMain } from "./arguments.ts";
import { openProgram } from "./commands.ts";

/** Runs the command that the host's words call; of the others only what the list of commands shows is loaded. */
export async function runViva(host: MainProcess): Promise<void> {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const interruption = createInterruption();
  // The first word is the command, or after `help` the one that is asked about.
  const words = host.argv.slice(2).filter((word) => !word.startsWith("-"));
  const called = words[0] === "help" ? words[1] : words[0];
  const program = await openProgram({ interruption, version, argv: host.argv }, (name) => name === called);
  await runMain(program, interruption, host);
}
