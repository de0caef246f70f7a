/**
 * Federated training (FedAvg, arXiv 1602.05629) over sites that are folders of one machine: each round the sites train the
 * adapter of the round before on their own data, and their adapters are averaged by their numbers of examples.
 */
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeFolder } from "../core/make-folder.ts";
import { percent } from "../core/percent.ts";
import { withAdapters } from "../export/adapters.ts";
import { writeAverage } from "../export/average.ts";
import { writeFolder } from "../export/export.ts";
import { writeFileAtomic } from "../io/files.ts";
import { readAdapterConfig } from "../models/adapter-files.ts";
import { sharesOf } from "../models/average.ts";
import { acquireLock } from "../runs/lock.ts";
import type { Reporter } from "../runs/reporter.ts";
import { openSession } from "../session/session.ts";
import type { TrainRun } from "../study/execute.ts";
import { evaluateLast } from "./evaluate.ts";
import {
  createFederation,
  type FederationPaths,
  federationPaths,
  type RoundRecord,
  readRound,
  removeDrafts,
  sentFiles,
} from "./folder.ts";
import type { Federation } from "./load.ts";
import { modes } from "./modes.ts";
import { COUNT, type SiteOptions, siteRound } from "./site.ts";
import { requireDisjoint } from "./subjects.ts";

/** Above this share the averaged factors are another model than the average of the sites' models (ours). */
const WARN_ABOVE = 0.05;

export interface FederateOptions {
  readonly resume: boolean;
  /** Trains one site's round. */
  readonly train: TrainRun;
  /** Sites that train at the same time. */
  readonly jobs: number;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  readonly onRound: (record: RoundRecord) => void;
}

export interface Federated {
  /** The adapter of the last round. */
  readonly adapter: string;
  readonly rounds: readonly RoundRecord[];
}

/** Runs what is not done of a federation. UserError where sites share a subject; RunError where a site cannot go on. */
export async function federate(federation: Federation, folder: string, o: FederateOptions): Promise<Federated> {
  const paths = federationPaths(folder);
  const { reporter, signal, resume } = o;
  await requireDisjoint(federation, { reporter, signal });
  if (!resume) createFederation(paths, federation);
  const lock = acquireLock(paths.lock);
  try {
    await writeStart(federation, paths, o);
    const site: SiteOptions = { ...o, paths, federation, onNotice: (text) => reporter.warn(text) };
    const rounds: RoundRecord[] = [];
    for (let round = 1; round <= federation.rounds; round++) {
      if (!existsSync(paths.global(round))) await trainRound(round, site, o.jobs);
      const record = readRound(paths, round);
      rounds.push(record);
      o.onRound(record);
      if (record.aggregation_error > WARN_ABOVE) {
        reporter.warn(
          `round ${round}: aggregation error ${percent(record.aggregation_error)} %, above ${percent(WARN_ABOVE)} %: the averaged adapter is not the average of the sites' models; try mode: svd, fedex or ffa, or fewer local_steps`,
        );
      }
    }
    await evaluateLast(federation, paths, { reporter, signal });
    return { adapter: paths.global(federation.rounds), rounds };
  } finally {
    lock.release();
  }
}

/** The adapter that all sites begin with. */
async function writeStart({ clients }: Federation, paths: FederationPaths, o: FederateOptions): Promise<void> {
  const start = paths.global(0);
  removeDrafts(dirname(start));
  if (existsSync(start)) return;
  makeFolder(dirname(start));
  const { recipe } = clients[0]!;
  const session = await openSession(
    { ...recipe, data: { ...recipe.data, eval: null }, evaluate: null },
    paths.folder,
    o,
  );
  const draft = join(dirname(start), `.round-0000.${process.pid}.tmp`);
  try {
    makeFolder(draft);
    await session.engine.save(draft, { training: false });
    renameSync(draft, start);
  } finally {
    await session.close();
    rmSync(draft, { recursive: true, force: true });
  }
}

async function trainRound(round: number, site: SiteOptions, jobs: number): Promise<void> {
  const { paths, federation } = site;
  const waiting = [...federation.clients];
  const work = async () => {
    for (let client = waiting.shift(); client !== undefined; client = waiting.shift()) {
      await siteRound(client, round, site);
    }
  };
  const working = Array.from({ length: jobs }, work);
  await Promise.allSettled(working);
  await Promise.all(working);
  averageRound(round, federation, paths);
  dropBase(round - 2, paths);
}

/** Averages the outboxes of a round; reads nothing else of the sites. */
function averageRound(round: number, { mode, clients }: Federation, paths: FederationPaths): void {
  const before = paths.global(round - 1);
  const config = readAdapterConfig(before);
  const sources = clients.map(({ name }) => {
    const folder = paths.outbox(name, round);
    return { path: folder, folder, config };
  });
  const counts = sources.map(({ folder }) => examplesOf(folder));
  const shares = sharesOf(counts);
  const out = paths.global(round);
  removeDrafts(dirname(out));
  writeFolder(out, (draft) => {
    const o = { way: modes[mode].average, counts, companions: before };
    const aggregationError = withAdapters(sources, (opened) => writeAverage(draft, out, opened, o));
    const record: RoundRecord = {
      round,
      mode,
      clients: clients.map(({ name }, i) => {
        const [examples, share] = [counts[i]!, shares[i]!];
        return { name, examples, share, sent: sentFiles(sources[i]!.folder) };
      }),
      aggregation_error: aggregationError,
    };
    writeFileAtomic(join(draft, "round.json"), `${JSON.stringify(record, null, 2)}\n`);
  });
}

function examplesOf(outbox: string): number {
  return (JSON.parse(readFileSync(join(outbox, COUNT), "utf8")) as { readonly examples: number }).examples;
}

/** A changed base is as large as the model: only the last two rounds keep theirs. */
function dropBase(round: number, paths: FederationPaths): void {
  if (round > 0) rmSync(join(paths.global(round), "model"), { recursive: true, force: true });
}
