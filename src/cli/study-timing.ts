/**
 * Times stages for a study's plan, each in a process of its own: what ONNX Runtime has taken of memory goes back to the
 * system only when its process ends, and a study lives for hours.
 */
import { fork } from "node:child_process";
import { Command } from "commander";
import { messageOf, RunError } from "../core/errors.ts";
import { type StageTiming, type TimeStage, timeStage } from "../study/estimate.ts";
import type { Interruption } from "./arguments.ts";

type StageToTime = Parameters<TimeStage>;
type Answer = { readonly timing: StageTiming } | { readonly message: string };

const NAME = "study-timing";

/** Asks a child for the timing; an abort asks it to stop and waits for it. */
export function timeInChild(signal: AbortSignal): TimeStage {
  return (...asked) =>
    new Promise((resolve, reject) => {
      const child = fork(process.argv[1]!, [NAME], {
        stdio: ["ignore", "ignore", "ignore", "ipc"],
        // A group of its own: Ctrl-C on the terminal reaches it once, through this process.
        detached: process.platform !== "win32",
      });
      const stop = () => void child.kill("SIGINT");
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted) stop();
      let answer: Answer = { message: `the process "viva ${NAME}" gave no timing` };
      child.on("message", (message) => (answer = message as Answer));
      child.on("error", reject);
      child.on("close", () => {
        signal.removeEventListener("abort", stop);
        if ("timing" in answer) resolve(answer.timing);
        else reject(new RunError(answer.message));
      });
      child.send(asked satisfies StageToTime);
    });
}

/** The child's side, a command that no help lists: one question over the channel that it was started with, one answer. */
export function studyTimingCommand(interruption: Interruption): Command {
  return new Command(NAME).action(() =>
    interruption.during(async (signal) => {
      if (process.send === undefined) throw new RunError(`${NAME}: started by viva study alone`);
      // Nobody waits for the answer any more.
      process.once("disconnect", () => process.exit(1));
      const [recipe, stage] = await new Promise<StageToTime>((resolve) => process.once("message", resolve as never));
      const answer: Answer = await timeStage(recipe, stage, signal).then(
        (timing) => ({ timing }),
        (error: unknown) => ({ message: messageOf(error) }),
      );
      await new Promise((sent) => process.send!(answer, sent));
      process.removeAllListeners("disconnect");
      process.disconnect();
    }),
  );
}
