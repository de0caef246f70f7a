#!/usr/bin/env -S node --single-threaded-gc
/** The command `viva`. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { createInterruption, runMain } from "./arguments.ts";
import { auditCommand } from "./audit.ts";
import { bagsCommand } from "./bags.ts";
import { benchCommand } from "./bench.ts";
import { calibrateCommand } from "./calibrate.ts";
import { checkCommand } from "./check.ts";
import { compareCommand } from "./compare.ts";
import { completionCommand } from "./completion.ts";
import { dataCommand } from "./data.ts";
import { demoCommand } from "./demo.ts";
import { deriveCommand } from "./derive.ts";
import { doctorCommand } from "./doctor.ts";
import { evalCommand } from "./eval.ts";
import { exportCommand } from "./export.ts";
import { federateCommand } from "./federate.ts";
import { generateCommand } from "./generate.ts";
import { indexCommand } from "./index-cases.ts";
import { initCommand } from "./init.ts";
import { logprobsCommand } from "./logprobs.ts";
import { mergeCommand } from "./merge.ts";
import { clusterProbeCommand } from "./on-ray.ts";
import { pairsCommand } from "./pairs.ts";
import { probeCommand } from "./probe.ts";
import { reportCommand } from "./report.ts";
import { reprogramCommand } from "./reprogram.ts";
import { rewardsCommand } from "./rewards.ts";
import { serveCommand } from "./serve.ts";
import { studyCommand } from "./study.ts";
import { studyTimingCommand } from "./study-timing.ts";
import { trackCommand } from "./track.ts";
import { trainCommand } from "./train.ts";
import { uiCommand } from "./ui.ts";
import { versionText } from "./version.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
const interruption = createInterruption();
const program: Command = new Command("viva")
  .description("Reinforcement fine-tuning of vision-language models for medical visual question answering")
  .version(versionText(version, process.argv), "-V, --version", "print the version; with --json also what it runs on")
  .showHelpAfterError("(--help shows what is known)")
  .addCommand(demoCommand(interruption))
  .addCommand(initCommand(interruption))
  .addCommand(checkCommand(interruption))
  .addCommand(trainCommand(interruption, version))
  .addCommand(studyCommand(interruption, version))
  .addCommand(federateCommand(interruption))
  .addCommand(evalCommand(interruption))
  .addCommand(compareCommand())
  .addCommand(probeCommand(interruption))
  .addCommand(auditCommand(interruption))
  .addCommand(calibrateCommand(interruption))
  .addCommand(indexCommand(interruption))
  .addCommand(generateCommand(interruption))
  .addCommand(logprobsCommand(interruption))
  .addCommand(serveCommand(interruption, version))
  .addCommand(rewardsCommand(interruption))
  .addCommand(exportCommand(interruption))
  .addCommand(deriveCommand(interruption))
  .addCommand(mergeCommand(interruption))
  .addCommand(reprogramCommand(interruption))
  .addCommand(bagsCommand(interruption))
  .addCommand(pairsCommand(interruption))
  .addCommand(reportCommand())
  .addCommand(trackCommand(interruption))
  .addCommand(uiCommand(interruption, version))
  .addCommand(benchCommand(interruption))
  .addCommand(dataCommand(interruption))
  .addCommand(doctorCommand())
  .addCommand(completionCommand(() => program))
  .addCommand(studyTimingCommand(interruption), { hidden: true })
  .addCommand(clusterProbeCommand(version), { hidden: true });

for (const command of program.commands) command.showHelpAfterError("(--help shows what is known)");

await runMain(program, interruption);
