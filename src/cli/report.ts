/** viva report: an HTML file about one run, or about several side by side. */
import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { Command } from "commander";
import { UserError } from "../core/errors.ts";
import type { MilestoneItems } from "../evaluate/run-statistics.ts";
import { requireRun, runPaths } from "../runs/run-folder.ts";
import { collect } from "./arguments.ts";

interface ReportOptions {
  readonly out?: string;
  readonly bundle?: string;
  readonly bundleImages: boolean;
  readonly images: readonly string[];
  readonly json?: boolean;
}

export function reportCommand(): Command {
  return new Command("report")
    .argument("<run...>", "run folders; with several, the first is the reference; with --bundle, studies too")
    .option("--out <file>", "where to write (default: report.html in the run, comparison.html here for several)")
    .option("--bundle <folder>", "write the pages of viva ui as files instead, which open without a server")
    .option("--no-bundle-images", "with --bundle: leave out all images")
    .option(
      "--images <folder>",
      "with --bundle: images that lie in this folder are part of it (repeatable)",
      collect,
      [],
    )
    .option("--json", "print file and size as JSON")
    .action(async (folders: readonly string[], { out, json, bundle, ...images }: ReportOptions) => {
      if (bundle !== undefined) {
        const { bundleOf } = await import("./report-bundle.ts"); // every training loads this file, few the pages
        const { files, bytes } = await bundleOf(bundledFolders(folders), bundle, images);
        const told = `bundle: ${resolve(bundle, "index.html")} (${files} files, ${(bytes / 1e6).toFixed(1)} MB)`;
        console.log(json ? JSON.stringify({ bundle: resolve(bundle), files, bytes }) : told);
        return;
      }
      const { file, bytes } = await report(folders, out);
      console.log(json ? JSON.stringify({ report: file, bytes }) : `report: ${file} (${(bytes / 1e6).toFixed(1)} MB)`);
    });
}

/** Runs, and studies, which have their runs in them. */
function bundledFolders(folders: readonly string[]): readonly string[] {
  const studies = folders.filter((folder) => existsSync(join(folder, "study.json")));
  return [...studies.map((folder) => resolve(folder)), ...runFolders(folders.filter((one) => !studies.includes(one)))];
}

/** Real paths of runs; throws UserError for what is none, or is named twice. */
export function runFolders(folders: readonly string[]): readonly string[] {
  const runs = folders.map((folder) => resolve(folder));
  for (const [i, folder] of runs.entries()) {
    if (!existsSync(folder)) throw new UserError(`${folders[i]}: there is no such folder`);
    requireRun(folder, folders[i]);
    if (runs.indexOf(folder) < i) throw new UserError(`${folders[i]}: named twice; a run is compared with others`);
  }
  return runs;
}

/** Writes the report; returns where it is. `start` names the model that the first run began from. */
export async function report(
  folders: readonly string[],
  out?: string,
  start?: string,
): Promise<{ readonly file: string; readonly bytes: number }> {
  const { compareArms, milestones, runStatistics } = await import("../evaluate/run-statistics.ts");
  const { rewardCorrelations } = await import("../evaluate/reward-correlations.ts");
  const { writeReport } = await import("../report/index.ts");
  const { runImages } = await import("../session/run-images.ts");
  const runs = runFolders(folders);
  const file = resolve(out ?? (runs.length === 1 ? runPaths(runs[0]!).report : "comparison.html"));
  if (statSync(dirname(file), { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new UserError(`${out ?? file}: there is no folder ${dirname(file)}`);
  }
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory())
    throw new UserError(`${file}: a folder is there, where the report should be written; name a file with --out`);
  const labels = shortLabels(runs);
  const arms = runs.map((folder, i) => ({ folder, label: labels[i]!, milestones: milestones(folder) }));
  const reported = arms.map(({ folder, label, milestones: found }) => {
    const rewards = rewardCorrelations(folder);
    return { folder, label, statistics: runStatistics(found), rewards, images: runImages(folder) };
  });
  const started = fromStart(arms[0]!, start);
  const comparisons = { arms: compareArms(arms), start: started === null ? null : compareArms(started)[0]! };
  return { file, bytes: await writeReport(reported, comparisons, file) };
}

interface Measured {
  readonly label: string;
  readonly milestones: readonly MilestoneItems[];
}

/** What a run became beside what it was before its training; null where that was not measured. */
function fromStart(first: Measured, label = `${first.label} at its start`): readonly Measured[] | null {
  const [start, ...later] = first.milestones;
  return start?.stage !== "start" || later.length === 0 ? null : [first, { label, milestones: [start] }];
}

/** The folders' own names, with as many of the folders above as it takes to tell them apart. */
function shortLabels(folders: readonly string[]): readonly string[] {
  const names = folders.map((folder) => basename(folder));
  if (new Set(names).size === names.length) return names;
  return folders
    .map((folder) => folder.split(/[\\/]/).slice(-2).join("/"))
    .map((name, i, all) => (all.indexOf(name) === i ? name : folders[i]!));
}
