/** Errors caused by the user (one clear sentence, exit code 2), and failed runs (exit code 1). */

/** The user's input is wrong: the message names what, where and what to do; the command line prints it without a stack. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** A data set has no such split. */
export class MissingSplit extends UserError {}

/**
 * The run failed for a reason that one sentence explains to the user (a non-finite loss, a dead worker): exit code 1.
 */
export class RunError extends Error {
  override readonly name = "RunError";
}

/** A model's numbers are no numbers any more: what it holds now is worth no checkpoint. */
export class OverflowError extends RunError {}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
