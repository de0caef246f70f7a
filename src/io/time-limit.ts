/**
 * A limit on the time of synchronous work over foreign data: a pattern or a template from a checkpoint can run for ever,
 * and nothing else can stop it in this thread.
 */
import { createContext, Script } from "node:vm";
import { UserError } from "../core/errors.ts";

/**
 * Runs work; throws UserError, naming `what`, when it takes more than `seconds`. Costs 0.06 ms a call. Work that was held up
 * by a sleeping or busy machine, and so had little processor time, is begun again: it must be repeatable.
 */
export type TimeLimit = <T>(what: string, work: () => T, seconds?: number) => T;

/** A limit to be kept and used again: making one takes half a millisecond. */
export function createTimeLimit(): TimeLimit {
  const script = new Script("work()");
  const context = createContext({ work: null as unknown }); // runs no foreign code: only what is called is timed
  return <T>(what: string, work: () => T, seconds = 10): T => {
    const started = process.cpuUsage();
    for (;;) {
      context["work"] = work;
      try {
        return script.runInContext(context, { timeout: 1000 * seconds }) as T;
      } catch (error) {
        if ((error as NodeJS.ErrnoException | null)?.code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
        const { user, system } = process.cpuUsage(started);
        if ((user + system) / 1e6 < seconds / 2) continue;
        throw new UserError(`${what} was not done after ${seconds} s: a pattern in it may never end`);
      } finally {
        context["work"] = null;
      }
    }
  };
}
