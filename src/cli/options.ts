/** Options that several commands share, and writing their output files. */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { Argument, type Command, InvalidArgumentError, Option } from "commander";
import { devices } from "../core/device.ts";
import { UserError } from "../core/errors.ts";
import type { ImageView } from "../core/records.ts";
import { type GreyWindow, type WindowPreset, windowOf, windowPresets } from "../core/windows.ts";
import { replaceFile } from "../runs/durable.ts";
import { createReporter, type Reporter } from "../runs/reporter.ts";
import type { PromptName } from "../session/checkpoint.ts";
import { numberRange } from "./arguments.ts";
import type { OutputOption } from "./words.ts";

/** What `openCheckpoint` takes. */
export function checkpointArgument(): Argument {
  return new Argument(
    "<checkpoint>",
    "model, adapter or run folder, a run's checkpoint, a model that ships, or hf:org/name[@revision] on the Hub",
  );
}

/** Shows a download's progress on stderr, since stdout is for results. */
export function downloadReporter(): Reporter {
  return createReporter({ out: process.stderr });
}

/** The styles in which a question can be put. */
export const promptNames = [
  ...["think_answer", "answer_only", "plain", "reasoning_prediction", "json", "base"],
] as const satisfies readonly PromptName[];

/** --prompt: how questions are put. */
export function promptOption(): Option {
  return new Option("--prompt <style>", "how questions are put (default: the run's own, else plain)").choices(
    promptNames,
  );
}

/** --device: where the model is computed. */
export function deviceOption(): Option {
  return new Option("--device <name>", "where the model is computed (viva doctor shows which devices work)")
    .choices(devices)
    .default("cpu");
}

/** --engine: which machine computes. */
export function engineOption(): Option {
  return new Option(
    "--engine <address>",
    "a Tinker server that computes, or local for this machine (default: as the run was trained, else local)",
  );
}

/** What `addViewOptions` gives. */
export interface ViewOptions {
  readonly imageRange?: readonly [number, number];
  readonly window?: GreyWindow;
}

/** --image-range and --window: which values of images become black and white; `own` names a default that comes first. */
export function addViewOptions(command: Command, own = ""): Command {
  const range = `of 16-bit images: the values that become black and white (default: ${own}0,65535)`;
  const window = `of grey DICOM images and NIfTI slices: center,width, or for CT ${Object.keys(windowPresets).join(", ")} (default: ${own}each file's)`;
  return command
    .addOption(new Option("--image-range <low,high>", range).argParser(numberRange(0, 65_535)))
    .addOption(new Option("--window <window>", window).argParser(greyWindow));
}

/** The view that options ask for, over that of a recipe. */
export function viewAsked({ imageRange, window }: ViewOptions, own: ImageView = {}): ImageView {
  return {
    ...own,
    ...(imageRange === undefined ? {} : { range: imageRange }),
    ...(window === undefined ? {} : { window }),
  };
}

function greyWindow(text: string): GreyWindow {
  if (Object.hasOwn(windowPresets, text)) return windowOf(text as WindowPreset);
  const [center, width, ...more] = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (Number.isFinite(center) && width! >= 1 && more.length === 0) return { center: center!, width: width! };
  throw new InvalidArgumentError(
    `Expected ${Object.keys(windowPresets).join(", ")}, or a center and a width of at least 1, as -600,1500.`,
  );
}

/** --out: a file whose folder exists, which is seen before the work is done. */
export function outOption(description: string): Option {
  return outputOption("--out <file>", description).makeOptionMandatory();
}

/** An option that names a file to write, like --out but not required. */
export function outputOption(flags: string, description: string): OutputOption {
  const name = flags.split(" ")[0]!;
  const option = new Option(flags, description).argParser((file: string) => {
    if (file !== "" && !isFolder(dirname(file)))
      throw new UserError(`${name} ${file}: there is no folder ${dirname(file)}`);
    if (isFolder(file)) throw new UserError(`${name} ${file}: a folder is there, name a file`);
    return file;
  });
  return Object.assign(option, { writes: true as const });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** What a command says that has written rows: a sentence, or with --json an object. */
export function rowsWritten(
  rows: number,
  { out, json = false }: { readonly out: string; readonly json?: boolean },
): string {
  return json ? JSON.stringify({ out, rows }) : `${rows} rows written to ${out}`;
}

/** Writes records as JSON lines, whole or not at all. */
export function writeJsonLines(file: string, records: readonly object[]): void {
  replaceFile(file, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
}

/** Writes one JSON object, indented, whole or not at all. */
export function writeJson(file: string, value: object): void {
  replaceFile(file, `${JSON.stringify(value, null, 2)}\n`);
}
