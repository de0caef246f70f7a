/** The options under which a model's thoughts end early and its questions are routed, for all commands that ask. */
import { type Command, Option } from "commander";
import { stopScores } from "../session/choices.ts";
import type { StopOptions } from "../session/control.ts";
import { decimalNumber, wholeNumber } from "./arguments.ts";

export interface ControlCommandOptions {
  /** "confidence", "options", or a file of viva calibrate. */
  readonly stop?: string;
  readonly stopThreshold?: number;
  readonly stopScore?: StopOptions["score"];
  readonly minSentences?: number;
  readonly route?: string;
  /** "k=8,context=0". */
  readonly routeOptions?: string;
}

/** Adds --stop, --route and what belongs to them. */
export function addControlOptions(command: Command): Command {
  return command
    .option("--stop <rule>", "end thoughts early: by confidence, by options, or as a file of viva calibrate says")
    .option("--stop-threshold <θ>", "confidence above which a thought ends (default: 0.95)", decimalNumber(0))
    .addOption(new Option("--stop-score <name>", "of a trial answer's tokens (default: avg2)").choices(stopScores))
    .option("--min-sentences <n>", "sentences that are thought in any case (default: 1)", wholeNumber(1))
    .option("--route <index>", "let experts answer, by the cases of an index that viva index made")
    .option("--route-options <list>", "alpha, k, tau, theta, context, as k=8,context=0");
}
