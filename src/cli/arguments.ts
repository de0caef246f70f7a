/**
 * What all commands share: number options with clear messages, and how a program ends. Exit code 0 is good, 1 a failed
 * run, 2 wrong input; interruptions end with 128 + the signal's number, after the command has closed what it holds.
 */
import { type Command, CommanderError, Help, InvalidArgumentError, type Option } from "commander";
import { messageOf, RunError, UserError } from "../core/errors.ts";
import { placeInModules } from "../core/module-place.ts";
import { asFileError } from "../core/system-errors.ts";
import { checkWords } from "./words.ts";

/** Parser of a whole number within bounds, for commander's options and arguments. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^[+-]?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number ${bounds(min, max, Number.MAX_SAFE_INTEGER)}.`);
  };
}

/** Parser of a finite number within bounds. */
export function decimalNumber(min: number, max = Number.MAX_VALUE): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a number ${bounds(min, max, Number.MAX_VALUE)}.`);
  };
}

/** Parser of a temperature: 0 for the likeliest token, else within what a recipe takes, where log-probs stay numbers. */
export function temperature(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value === 0 || (value >= 0.01 && value <= 100)) return value;
  throw new InvalidArgumentError("Expected 0, or a number from 0.01 to 100.");
}

/** Parser of two whole numbers within bounds, the lower first: "0,4095". */
export function numberRange(min: number, max: number): (text: string) => readonly [number, number] {
  return (text) => {
    const parts = text.split(",");
    const [low, high] = parts.map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : Number.NaN));
    if (parts.length === 2 && low! >= min && low! < high! && high! <= max) return [low!, high!];
    throw new InvalidArgumentError(`Expected two whole numbers from ${min} to ${max}, the lower first, as 0,4095.`);
  };
}

/** Parser of a size in bytes: "500MB", "5GB", "4GiB", as the Hub's tools spell them. */
export function byteSize(text: string): number {
  const [, digits, prefix, binary] = /^(\d+(?:\.\d+)?) ?([kmgt]?)(i?)b$/i.exec(text.trim()) ?? [];
  if (digits === undefined) throw new InvalidArgumentError('Expected a size such as "5GB" or "500MB".');
  const power = ["", "k", "m", "g", "t"].indexOf(prefix!.toLowerCase());
  const bytes = Number(digits) * (binary === "" ? 1000 : 1024) ** power;
  if (bytes >= 1) return bytes;
  throw new InvalidArgumentError("Expected a size of at least one byte.");
}

/** Collects an option that may be given several times, in order: `.option("--set <key=value>", "…", collect, [])`. */
export function collect(text: string, earlier: readonly string[]): readonly string[] {
  return [...earlier, text];
}

/** How commands learn that the user wants them to stop. */
export interface Interruption {
  /** Aborted at the first Ctrl-C, SIGTERM or broken pipe. */
  readonly signal: AbortSignal;
  /** Runs work that ends by itself soon after the abort, closing what it holds; the process waits for it. */
  during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Asks to stop; true when some work will end by itself, false when there is nothing to wait for. */
  stop(): boolean;
}

/** Made once by the program, handed to the commands that must close something, and to `runMain`. */
export function createInterruption(): Interruption {
  const controller = new AbortController();
  let working = 0;
  return {
    signal: controller.signal,
    async during(work) {
      working++;
      try {
        return await work(controller.signal);
      } finally {
        working--;
      }
    },
    stop() {
      controller.abort();
      return working > 0;
    },
  };
}

/** What `runMain` uses of the process, so that tests can stand in for it. */
export type MainProcess = Pick<
  NodeJS.Process,
  "argv" | "env" | "stdout" | "stderr" | "on" | "exit" | "pid" | "kill" | "removeAllListeners"
> & {
  exitCode?: number | string | null | undefined;
};

/** Node's exit code where nothing is left to run, and the program still waits. */
const UNSETTLED = 13;

/** Runs the program to its end: prints what went wrong as one line on stderr, never a stack, and sets the exit code. */
export async function runMain(
  program: Command,
  interruption: Interruption = createInterruption(),
  host: MainProcess = process,
): Promise<void> {
  let interruptedWith: number | null = null;
  const interrupt = (code: number, notice: string, signal: NodeJS.Signals | null) => {
    if (interruptedWith !== null && signal !== null) return endBySignal(host, signal);
    if (interruptedWith !== null || !interruption.stop()) return host.exit(interruptedWith ?? code);
    interruptedWith = code;
    host.stderr.write(notice);
  };
  const notice = "\nstopping; press Ctrl-C again to stop at once\n";
  const crash = (error: unknown) => host.exit(report(error, host));
  host.on("SIGINT", () => interrupt(130, notice, "SIGINT"));
  host.on("SIGTERM", () => interrupt(143, notice, "SIGTERM"));
  host.on("uncaughtException", crash);
  host.on("unhandledRejection", crash);
  host.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") crash(error);
    else if (interruptedWith === null) interrupt(141, "", null); // the reader left: quiet, as after SIGPIPE
  });
  host.stderr.on("error", () => {});
  let isDone = false;
  host.on("exit", (code) => {
    if (isDone || interruptedWith !== null || (code !== 0 && code !== UNSETTLED)) return;
    host.stderr.write(
      "error: the process ended before the command did: a module ended it, or waits for what never comes\n",
    );
    host.exitCode = 1;
  });
  throwOnExit(program);
  prepareOptions(program);
  checkWords(program);
  try {
    await program.parseAsync([...host.argv]);
  } catch (error) {
    const code = interruptedWith === null ? report(error, host) : interruptedWith;
    if (code !== 0) return flushAndExit(host, code);
  }
  isDone = true;
  if (interruptedWith !== null) return flushAndExit(host, interruptedWith);
  host.exitCode ??= 0; // a command that serves keeps the process alive by itself
}

/** Prints an error as the user should see it; returns the exit code. */
function report(thrown: unknown, { stderr, env }: MainProcess): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2; // commander has printed it
  const error = asFileError(thrown);
  if (error instanceof UserError || error instanceof RunError) stderr.write(`error: ${error.message}\n`);
  else if (!env.VIVA_DEBUG) stderr.write(`error: ${messageOf(error)} (${placeOf(error)}; VIVA_DEBUG=1 shows where)\n`);
  if (env.VIVA_DEBUG && error instanceof Error) stderr.write(`${stackOf(error)}\n`);
  else if (env.VIVA_DEBUG) stderr.write(`${String(error)}\n`);
  return error instanceof UserError ? 2 : 1;
}

/** Where a module of the user's own threw what nothing awaited. */
function placeOf(error: unknown): string {
  const place = placeInModules(error);
  return place === null ? "unexpected" : `${place.file}, line ${place.line}`;
}

function stackOf(error: Error): string {
  const stack = error.stack ?? error.message;
  return error.cause instanceof Error ? `${stack}\ncaused by ${stackOf(error.cause)}` : stack;
}

/** Makes commander throw in place of ending the process, in every subcommand. */
function throwOnExit(command: Command): void {
  command.exitOverride();
  for (const sub of command.commands) throwOnExit(sub);
}

/**
 * Commander looks for missing options before unknown ones, and so calls missing what was only misspelled: missing ones are
 * looked for once all others are known. Help says which are required, and no default that is an empty list.
 */
function prepareOptions(command: Command): void {
  const wanted = command.options.filter(({ mandatory }) => mandatory);
  for (const option of wanted) {
    option.mandatory = false;
    option.description += " (required)";
  }
  command.configureHelp({ ...command.configureHelp(), optionDescription: optionHelp });
  command.hook("preAction", (_, acting) => {
    const missing = wanted.find(
      (option) => acting === command && command.getOptionValue(option.attributeName()) === undefined,
    );
    if (missing !== undefined) command.error(`error: required option '${missing.flags}' not specified`);
  });
  for (const sub of command.commands) prepareOptions(sub);
}

function optionHelp(option: Option): string {
  const { defaultValue: value, defaultValueDescription: words } = option;
  const isEmpty = words === undefined && JSON.stringify(value)?.match(/^(\[\]|\{\})$/);
  return new Help().optionDescription(isEmpty ? Object.create(option, { defaultValue: { value: undefined } }) : option);
}

/**
 * Ends the process as if the signal had met no handler. `exit` would first end the engine's threads, and what ONNX Runtime
 * computes in them at that moment then fails where nobody can catch it: the process would abort.
 */
function endBySignal(host: MainProcess, signal: NodeJS.Signals): void {
  host.removeAllListeners(signal);
  host.kill(host.pid, signal);
}

/** Ends the process even when a forgotten handle would keep it alive, once a pipe has taken what was printed. */
function flushAndExit(host: MainProcess, code: number): void {
  host.stdout.write("", () => host.stderr.write("", () => host.exit(code)));
}

function bounds(min: number, max: number, unbounded: number): string {
  return max === unbounded ? `of at least ${min}` : `from ${min} to ${max}`;
}
