/**
 * A federation's folder. What is done is a folder that was renamed into place, so that a kill at any moment leaves a step
 * done or not begun: a site's round is done when its outbox has that round, a round when `global` has it.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { parse, stringify } from "yaml";
import { UserError } from "../core/errors.ts";
import { makeFolder } from "../core/make-folder.ts";
import { replaceFile } from "../runs/durable.ts";
import type { Federation } from "./load.ts";

/** A file as it left a site. */
export interface SentFile {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What a round came to: `round.json` beside the round's adapter. */
export interface RoundRecord {
  readonly round: number;
  readonly mode: string;
  readonly clients: readonly {
    readonly name: string;
    /** Training examples, and the share n_k / Σ n that they give it. */
    readonly examples: number;
    readonly share: number;
    readonly sent: readonly SentFile[];
  }[];
  readonly aggregation_error: number;
}

export interface FederationPaths {
  readonly folder: string;
  readonly federation: string;
  readonly lock: string;
  readonly evals: string;
  /** The adapter after a round; round 0 is the start. */
  global(round: number): string;
  /** The run of a site's round. */
  run(client: string, round: number): string;
  /** What leaves the site. */
  outbox(client: string, round: number): string;
  /** The list of what left the site so far. */
  sent(client: string): string;
  recipe(client: string, round: number): string;
}

const roundName = (round: number) => `round-${String(round).padStart(4, "0")}`;

export function federationPaths(folder: string): FederationPaths {
  const site = (client: string) => join(folder, "sites", client);
  return {
    folder,
    federation: join(folder, "federation.yaml"),
    lock: join(folder, ".lock"),
    evals: join(folder, "evals.jsonl"),
    global: (round) => join(folder, "global", roundName(round)),
    run: (client, round) => join(site(client), "runs", roundName(round)),
    outbox: (client, round) => join(site(client), "outbox", roundName(round)),
    sent: (client) => join(site(client), "sent.json"),
    recipe: (client, round) => join(site(client), "recipes", `${roundName(round)}.yaml`),
  };
}

/** Creates the folder of a new federation; UserError if it is not empty. */
export function createFederation({ folder, federation: file }: FederationPaths, federation: Federation): void {
  if (existsSync(folder) && readdirSync(folder).some((name) => !name.startsWith(".lock"))) {
    const holds = existsSync(file)
      ? "already has a federation: go on with it by --resume, or choose another --run"
      : "is not empty: choose another --run";
    throw new UserError(`${folder} ${holds}`);
  }
  makeFolder(folder);
  replaceFile(file, stringify(federation, { lineWidth: 0, aliasDuplicateObjects: false }));
}

/** The federation in a folder; UserError where there is none, or `asked` is another. */
export function openFederation({ folder, federation: file }: FederationPaths, asked: Federation | null): Federation {
  if (!existsSync(file)) throw new UserError(`${folder}: there is no federation to resume`);
  const own = parse(readFileSync(file, "utf8")) as Federation;
  if (asked === null || isDeepStrictEqual(own, JSON.parse(JSON.stringify(asked)))) return own;
  throw new UserError(`${folder} holds another federation than the file says; leave the file out to go on with it`);
}

export function readRound(paths: FederationPaths, round: number): RoundRecord {
  return JSON.parse(readFileSync(join(paths.global(round), "round.json"), "utf8")) as RoundRecord;
}

/** The files of an outbox, by name. */
export function sentFiles(outbox: string): readonly SentFile[] {
  return readdirSync(outbox)
    .sort()
    .map((file) => {
      const content = readFileSync(join(outbox, file));
      return { file, bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
    });
}

/** Removes what a kill left half-written in a folder of rounds. */
export function removeDrafts(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (/^\.round-\d+\.\d+\.tmp/.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}
