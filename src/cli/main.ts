#!/usr/bin/env -S node --single-threaded-gc
/** The command `viva`. */
import { readFileSync } from "node:fs";
import { createInterruption, runMain } from "./arguments.ts";
import { openProgram } from "./commands.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
const interruption = createInterruption();
// The first word is the command, or after `help` the one that is asked about.
const words = process.argv.slice(2).filter((word) => !word.startsWith("-"));
const called = words[0] === "help" ? words[1] : words[0];
const program = await openProgram({ interruption, version }, (name) => name === called);

await runMain(program, interruption);
