/** What the operating system refuses, in words: a full disk, a read-only folder, a folder where a file should be. */
import { messageOf, RunError, UserError } from "./errors.ts";

/** What the user can mend by naming another place. */
const ofPlace: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "a part of its path is a file, not a folder",
  EEXIST: "a part of its path is a file, not a folder",
  EISDIR: "it is a folder",
  ENOTEMPTY: "it is a folder that is not empty",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the disk is read-only",
  ENAMETOOLONG: "its name is too long",
  ELOOP: "its links go round in a circle",
};

/** What the machine lacks. */
const ofMachine: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file is larger than the disk allows",
  EIO: "the disk failed to read or write",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open",
};

/** What was tried, by the system's name for it. */
const verbs: Readonly<Record<string, string>> = {
  open: "open",
  mkdir: "make",
  read: "read",
  scandir: "read",
  stat: "read",
  lstat: "read",
};

/** Whether a call to the operating system failed, on a file or otherwise. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === "string";
}

/** Why a file could not be read or written, as a clause. */
export function reasonOf(error: unknown): string {
  const { code = "", syscall } = error as NodeJS.ErrnoException;
  if (code === "EEXIST" && syscall === "open") return "a file of that name is there";
  return ofPlace[code] ?? ofMachine[code] ?? messageOf(error);
}

/**
 * The error of a file operation as the user should read it: UserError where another place would do, RunError where the
 * machine failed; anything else as it is. `of` says what was tried where the error does not, as a write to an open file.
 */
export function asFileError(error: unknown, of: { readonly verb?: "read" | "write"; readonly path?: string } = {}) {
  if (!isSystemError(error)) return error;
  const { code = "", syscall = "" } = error;
  const isKnown = ofPlace[code] !== undefined || ofMachine[code] !== undefined;
  if (!isKnown && of.path === undefined) return error;
  const what = [of.verb ?? verbs[syscall] ?? "write", of.path ?? error.path].filter((part) => part !== undefined);
  const message = `cannot ${what.join(" ")}: ${reasonOf(error)}`;
  return new (ofPlace[code] === undefined ? RunError : UserError)(message, { cause: error });
}

/** Writing a file or a folder, whose errors are told as `asFileError` tells them. */
export function whileWriting<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asFileError(error, { verb: "write", path });
  }
}
