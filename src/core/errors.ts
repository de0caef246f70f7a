/** Errors that tell a user's mistake (one clear sentence, exit code 2) from a failed run (exit code 1). */

/** The user's input is wrong: the message names what, where and what to do; the command line prints it without a stack. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** The run failed for a reason the user should read as one sentence (a non-finite loss, a dead worker): exit code 1. */
export class RunError extends Error {
  override readonly name = "RunError";
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
