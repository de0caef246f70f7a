#!/usr/bin/env -S node --single-threaded-gc
/** The command `viva`. */
import { runViva } from "./run.ts";

await runViva(process);
