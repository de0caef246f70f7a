/**
 * integrations/flower with a real SuperLink and three SuperNodes on the loopback, TLS and node authentication on: a site that
 * comes late, one that is killed while it trains and started again, one that leaves.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { jsonLines, root, temporaryFolder, vivaOk } from "../cli/command-line.ts";
import { federation, site, writeFilmSites } from "../cli/film-sites.ts";
import { type Row, writeRecipe, writeRows } from "../cli/tiny-run.ts";
import { freePort } from "../free-port.ts";
import { describeWithPython } from "../real/python.ts";

const folder = temporaryFolder();
const at = (...path: readonly string[]) => join(folder, ...path);
const viva = `${process.execPath} ${join(inject("built"), "dist/cli/main.js")}`;
const sites = ["north", "south", "east"] as const;

await describeWithPython("Flower", { name: "flower", requirements: ["flwr==1.42.0"] }, ({ bin }) => {
  const env = {
    ...{ ...process.env, FLWR_TELEMETRY_ENABLED: "0", FLWR_HOME: at("flower"), PYTHONUNBUFFERED: "1" },
    PATH: `${bin(".")}:${process.env["PATH"]}`,
  };
  const run = (program: string, ...args: readonly string[]) =>
    execFileSync(program, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] }).toString();
  const started: ChildProcess[] = [];
  const start = (name: string, program: string, ...args: readonly string[]) => {
    const log = openSync(at(`${name}.log`), "a");
    const child = spawn(program, args, { cwd: folder, env, stdio: ["ignore", log, log], detached: true });
    started.push(child);
    return child;
  };
  /** A SuperNode leads its group of processes, down to viva's. */
  const signal = (child: ChildProcess, name: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, name);
  };
  let port: number;
  /** Seconds of a whole run of one round, as a measure of how busy this machine is. */
  let pace = 0;
  const nodes = new Map<string, ChildProcess>();
  const startNode = async (name: string) => {
    const own = {
      recipe: at(`${name}.yaml`),
      base: at("base/checkpoints/step-000001"),
      folder: at("sites", name),
      viva,
    };
    const config = Object.entries(own).map(([key, value]) => `${key}="${value}"`);
    const secured = ["--root-certificates", "ca.crt", "--auth-supernode-private-key", `${name}-key`];
    const places = ["--superlink", `127.0.0.1:${port}`, "--port", String(await freePort())];
    nodes.set(name, start(name, bin("flower-supernode"), ...secured, ...places, "--node-config", config.join(" ")));
  };
  const train = (name: string, more: string) => {
    const places = `folder="${at(name)}" base-model="${at("base/checkpoints/step-000001")}" viva="${viva}"`;
    const app = [join(root, "integrations/flower"), "hospitals", "--stream", "--run-config", `${places} ${more}`];
    return start("run", bin("flwr"), "run", ...app);
  };
  const flwr = (...args: readonly string[]) => run(bin("flwr"), ...args);
  const rounds = () =>
    existsSync(at("server/rounds.jsonl")) ? (jsonLines(folder, "server/rounds.jsonl") as Round[]) : [];
  const until = async (what: string, isSo: () => boolean | Promise<boolean>) => {
    for (let tries = 0; !(await isSo()); tries++) {
      if (tries > 3000 + 100 * pace) throw new Error(`${what} did not happen: ${logs()}`);
      await wait(100);
    }
  };
  const logs = () => ["run", "superlink", ...sites].map((name) => `\n== ${name}\n${tail(at(`${name}.log`))}`).join("");

  beforeAll(async () => {
    await writeFilmSites(folder);
    const rows = jsonLines(folder, "films/train.jsonl") as Row[];
    for (const [i, name] of sites.entries()) {
      writeRows(at(`films/${name}.jsonl`), rows.slice(4 * i, 4 * i + 4));
      const local = readFileSync(at("local.yaml"), "utf8").replace("split: train", `split: ${name}`);
      writeFileSync(at(`${name}.yaml`), local.replace("path: base", `path: ${at("base")}`));
      run("ssh-keygen", "-q", "-t", "ecdsa", "-b", "384", "-N", "", "-f", `${name}-key`);
    }
    writeRecipe(at("two.yaml"), { ...federation, clients: [site("north"), site("south")] });
    await vivaOk(folder, "federate", "two.yaml", "--run", "two");
    makeCertificates(run);
    port = await freePort();
    mkdirSync(at("flower"));
    const hospitals = `address="127.0.0.1:${port}"\nroot-certificates="${at("ca.crt")}"\n`;
    writeFileSync(at("flower/config.toml"), `[superlink]\ndefault="hospitals"\n[superlink.hospitals]\n${hospitals}`);
    const tls = ["--ssl-ca-certfile", "ca.crt", "--ssl-certfile", "server.pem", "--ssl-keyfile", "server.key"];
    const alone = ["--enable-supernode-auth", "--disable-runtime-dependency-installation", "--port", String(port)];
    start("superlink", bin("flower-superlink"), ...tls, ...alone);
    await until("the SuperLink", () => answers(() => flwr("supernode", "list", "hospitals")));
    for (const name of ["north", "south"]) flwr("supernode", "register", `${name}-key.pub`, "hospitals");
  });
  afterAll(() => {
    for (const { pid } of started) endGroup(pid!); // what a process started may live on after it
  });

  it("trains with sites that come late, are killed, and leave; each counts once, and only files leave", async () => {
    await startNode("north");
    await startNode("south");
    const began = Date.now();
    const first = train("first", "rounds=1 local-steps=2 seed=7 min-sites=2 round-timeout=300");
    await until("the end of the first run", () => first.exitCode !== null);
    pace = (Date.now() - began) / 1000;
    const adapter = (path: string) => readFileSync(at(path, "round-0001/adapter_model.safetensors"));
    expect(Buffer.compare(adapter("first"), adapter("two/global"))).toBe(0);

    const timeout = Math.ceil(Math.max(60, 3 * pace));
    train("server", `rounds=200 local-steps=2 seed=7 min-sites=2 round-timeout=${timeout}`);
    await until("a round of two", () => rounds().length >= 1);
    await startNode("east"); // its key is not registered
    await until("the refusal of east", () => nodes.get("east")!.exitCode !== null);
    expect(rounds().every(({ sites }) => sites === 2)).toBe(true);
    flwr("supernode", "register", "east-key.pub", "hospitals");
    await startNode("east");
    await until("a round of three", () => rounds().at(-1)!.sites === 3);

    const runs = () => (existsSync(at("sites/north")) ? trainings(at("sites/north")) : []);
    await until("a training of north", () => runs().some((it) => existsSync(join(it, ".lock"))));
    signal(nodes.get("north")!, "SIGKILL");
    const before = rounds().length;
    await until("a round without it", () =>
      rounds()
        .slice(before)
        .some(({ sites }) => sites === 2),
    );
    await startNode("north");
    const after = rounds().length;
    await until("a round with it again", async () => {
      // The SuperLink refuses it until it holds the killed one for lost, two heartbeats of 30 s after the last.
      if (nodes.get("north")!.exitCode !== null) await startNode("north");
      return rounds()
        .slice(after)
        .some(({ sites }) => sites === 3);
    });

    signal(nodes.get("south")!, "SIGTERM");
    const left = rounds().length;
    await until("rounds without south", () =>
      rounds()
        .slice(left)
        .some(({ sites }) => sites === 2),
    );
    for (const { counts, examples, sites } of rounds()) {
      expect(Object.keys(counts).length).toBe(sites);
      expect(examples).toBe(4 * sites);
    }
    expectListed();
  }, 1_200_000);

  /** Every adapter that the server received is one that a site listed as sent, with its bytes; nothing of a round is there twice. */
  function expectListed(): void {
    const listed = sites.flatMap((name) => {
      const runs = readdirSync(at("sites", name)).map((run) => at("sites", name, run, "sent.json"));
      return runs.flatMap((file) => (existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Sent[]) : []));
    });
    expect(new Set(listed.map(({ file }) => file))).toEqual(
      new Set(["adapter_config.json", "adapter_model.safetensors", "count.json"]),
    );
    const hashes = listed.filter(({ file }) => file === "adapter_model.safetensors").map(({ sha256 }) => sha256);
    for (const { round, sites } of rounds()) {
      const name = `round-${String(round).padStart(4, "0")}`;
      const received = readdirSync(at("server/received", name)).map((node) =>
        createHash("sha256")
          .update(readFileSync(at("server/received", name, node, "adapter_model.safetensors")))
          .digest("hex"),
      );
      expect(new Set(received).size).toBe(sites);
      for (const hash of received) expect(hashes).toContain(hash);
    }
  }
});

interface Round {
  readonly round: number;
  readonly sites: number;
  readonly examples: number;
  readonly counts: Readonly<Record<string, number>>;
}

interface Sent {
  readonly file: string;
  readonly sha256: string;
}

function trainings(folder: string): readonly string[] {
  return readdirSync(folder).flatMap((name) => {
    const runs = join(folder, name, "runs");
    return existsSync(runs) ? readdirSync(runs).map((round) => join(runs, round)) : [];
  });
}

/** A certificate authority, and a certificate of the loopback. */
function makeCertificates(run: (program: string, ...args: readonly string[]) => string): void {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  run("openssl", "req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test");
  const names = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-addext", "basicConstraints=CA:FALSE"];
  const signed = ["-CA", "ca.crt", "-CAkey", "ca.key"];
  run(
    "openssl",
    "req",
    "-x509",
    ...key,
    ...signed,
    "-keyout",
    "server.key",
    "-out",
    "server.pem",
    "-subj",
    "/CN=server",
    ...names,
  );
}

function endGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function answers(ask: () => unknown): boolean {
  try {
    ask();
    return true;
  } catch {
    return false;
  }
}

function tail(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8").slice(-3000) : "";
}
