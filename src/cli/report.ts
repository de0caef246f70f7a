/** viva report: an HTML file about one run, or about several side by side. */
import { existsSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { Command } from "commander";
import { UserError } from "../core/errors.ts";
import { rewardCorrelations } from "../evaluate/reward-correlations.ts";
import { compareArms, type MilestoneItems, milestones, runStatistics } from "../evaluate/run-statistics.ts";
import { writeReport } from "../report/index.ts";
import { isRun, runPaths } from "../runs/run-folder.ts";
import type { ArmComparison } from "../runs/statistics-records.ts";
import { runImages } from "../session/run-images.ts";
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
    .argument("<run...>", "run folders; with several, the first is the reference")
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
        const { files, bytes } = await bundleOf(runFolders(folders), bundle, images);
        const told = `bundle: ${resolve(bundle, "index.html")} (${files} files, ${(bytes / 1e6).toFixed(1)} MB)`;
        console.log(json ? JSON.stringify({ bundle: resolve(bundle), files, bytes }) : told);
        return;
      }
      const { file, bytes } = await report(folders, out);
      console.log(json ? JSON.stringify({ report: file, bytes }) : `report: ${file} (${(bytes / 1e6).toFixed(1)} MB)`);
    });
}

/** Real paths of runs; throws UserError for what is none, or is named twice. */
export function runFolders(folders: readonly string[]): readonly string[] {
  const runs = folders.map((folder) => resolve(folder));
  for (const [i, folder] of runs.entries()) {
    if (!existsSync(folder)) throw new UserError(`${folders[i]}: there is no such folder`);
    if (!isRun(folder)) throw new UserError(`${folders[i]}: no run here (there is no recipe.yaml in it)`);
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
  return {
    file,
    bytes: await writeReport(reported, { arms: compareArms(arms), start: startArm(arms[0]!, start) }, file),
  };
}

/** What a run was before its training against what it became; null where that was not measured. */
function startArm(
  first: { readonly label: string; readonly milestones: readonly MilestoneItems[] },
  label = `${first.label} at its start`,
): ArmComparison | null {
  const [start, ...later] = first.milestones;
  if (start?.stage !== "start" || later.length === 0) return null;
  return compareArms([first, { label, milestones: [start] }])[0]!;
}

/** The folders' own names, with as many of the folders above as it takes to tell them apart. */
function shortLabels(folders: readonly string[]): readonly string[] {
  const names = folders.map((folder) => basename(folder));
  if (new Set(names).size === names.length) return names;
  return folders
    .map((folder) => folder.split(/[\\/]/).slice(-2).join("/"))
    .map((name, i, all) => (all.indexOf(name) === i ? name : folders[i]!));
}
