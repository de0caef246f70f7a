/**
 * Inside a network and process namespace of its own: a Ray cluster of a head without CPUs and two nodes with one each, a study
 * on it, and what goes wrong meanwhile. node ray-driver.mjs RAY VIVA STUDY FOLDER TEMP prints one JSON object.
 */
import { execSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const [ray, viva, study, folder, temporary] = process.argv.slice(2);
const env = {
  ...process.env,
  RAY_USAGE_STATS_ENABLED: "0",
  RAY_DASHBOARD_SUBPROCESS_MODULE_WAIT_READY_TIMEOUT: "180",
  RAY_raylet_start_wait_time_s: "180", // a busy machine takes longer than its 30
  VIVA_TEST_PAUSE_MS: "400",
};
mkdirSync(temporary, { recursive: true });
execSync("ip link set lo up");

const output = (name) => {
  const fd = openSync(join(temporary, `${name}.log`), "a");
  return ["ignore", fd, fd];
};
const shared = ["--node-ip-address=127.0.0.1", "--object-store-memory=100000000", "--disable-usage-stats", "--block"];
const ports = (n) => [
  ...[`--min-worker-port=${21000 + n * 100}`, `--max-worker-port=${21099 + n * 100}`],
  ...[`--dashboard-agent-listen-port=${18366 + n * 100}`, `--dashboard-agent-grpc-port=${18367 + n * 100}`],
  `--runtime-env-agent-port=${18368 + n * 100}`,
];
const head = () => {
  const own = ["--port=16379", "--dashboard-host=127.0.0.1", "--dashboard-port=18265", "--include-dashboard=true"];
  const args = ["start", "--head", "--num-cpus=0", `--temp-dir=${temporary}/ray`, ...own, ...ports(0), ...shared];
  // A head whose dashboard did not start in time ends; it is started once more, as an operator would.
  spawn(ray, args, { env, stdio: output("head") }).on("exit", () => {
    if (!headAnswers) setTimeout(head, 2000);
  });
};
let headAnswers = false;
const node = (n) => {
  const named = `--resources={"node${n}":1}`;
  const args = ["start", "--address=127.0.0.1:16379", "--num-cpus=1", named, ...ports(n), ...shared];
  spawn(ray, args, { env, stdio: output(`node${n}`) });
};

const get = (path) =>
  new Promise((resolve) => {
    const asking = request(`http://127.0.0.1:18265${path}`, { timeout: 5000 }, (response) => {
      let text = "";
      response.on("data", (chunk) => (text += chunk)).on("end", () => resolve(text));
    });
    asking.on("error", () => resolve(null)).on("timeout", () => asking.destroy());
    asking.end();
  });
const aliveNodes = async () => {
  try {
    const { data } = JSON.parse(await get("/api/v0/nodes?detail=1"));
    return data.result.result.filter(({ state }) => state === "ALIVE").length;
  } catch {
    return 0;
  }
};
const said = [];
const started = Date.now();
const say = (text) => {
  said.push(`${((Date.now() - started) / 1000).toFixed(0)} s: ${text}`);
  console.error(said.at(-1));
};
async function until(what, holds, seconds) {
  const end = Date.now() + seconds * 1000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await sleep(300);
  }
  say(what);
}
const up = async () => {
  headAnswers = false;
  head();
  await until("the head answers", async () => (await get("/api/version")) !== null && (await aliveNodes()) > 0, 480);
  headAnswers = true;
  node(1);
  await until("node 1 has joined", async () => (await aliveNodes()) === 2, 240);
  node(2);
  await until("node 2 has joined", async () => (await aliveNodes()) === 3, 240);
};

const processes = () =>
  execSync("ps -eo pid=,args=", { maxBuffer: 1e8 })
    .toString()
    .split("\n")
    .map((line) => /^\s*(\d+) (.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, pid, args]) => ({ pid: Number(pid), args }));
const raylets = () => processes().filter(({ args }) => /^\S*raylet\/raylet /.test(args));
/** Programs that train, by the folder they write. */
const trainers = () =>
  processes().flatMap(({ pid, args }) => {
    const [, run] = /^\S*node .* train .*--run (\S+)/.exec(args) ?? [];
    return run === undefined || /^(sh|\/bin\/sh|bash)/.test(args) ? [] : [{ pid, run }];
  });
/** Nobody here reaps what is orphaned: a dead program stays listed. */
const isAlive = (pid) => processes().some((each) => each.pid === pid && !each.args.endsWith("<defunct>"));
const parentOf = (pid) => Number(/PPid:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
/** The raylet below which a program runs. */
const rayletOf = (pid) => {
  const all = new Set(raylets().map((each) => each.pid));
  for (let at = pid; at > 1; at = parentOf(at)) if (all.has(at)) return at;
  return null;
};
const checkpoints = (run) => (existsSync(join(run, "checkpoints")) ? readdirSync(join(run, "checkpoints")).length : 0);

const twice = new Set();
const watching = setInterval(() => {
  const runs = trainers().map(({ run }) => run);
  for (const run of runs) if (runs.filter((each) => each === run).length > 1) twice.add(run);
}, 500);

await up();
const arguments_ = [
  "study",
  study,
  "--run",
  folder,
  "--ray",
  "http://127.0.0.1:18265",
  "--resources",
  "cpus=1",
  "--json",
];
const controller = spawn(process.execPath, [viva, ...arguments_], { env, stdio: output("study") });
const ended = new Promise((resolve) => controller.on("close", (code) => resolve(code)));
let code = null;
void ended.then((value) => (code = value));
const going = () => {
  if (code !== null) throw new Error(`the study ended early, ${code}: ${log().slice(-2000)}`);
};

const log = () => readFileSync(join(temporary, "study.log"), "utf8");
/** A program that trains below the raylet of a node and has a checkpoint. */
const onNode = (n) => {
  going();
  const raylet = raylets().find(({ args }) => args.includes(`node${n}`))?.pid;
  const own = trainers().filter(({ pid, run }) => rayletOf(pid) === raylet && checkpoints(run) > 0);
  return own.find(({ run }) => !run.includes("fails")); // one that would end by itself would not be missed
};
await until("a run on node 1 has a checkpoint", () => onNode(1) !== undefined, 240);
const victim = onNode(1);
const raylet = rayletOf(victim.pid);
process.kill(raylet, "SIGKILL");
await until("the program of the killed raylet is gone", () => !isAlive(victim.pid), 30);
await until("its run is submitted again", () => /was lost .*submitted again/.test(log()), 120);

await until("a run on node 2 has a checkpoint", () => onNode(2) !== undefined, 240);
const last = onNode(2);
for (const { pid } of processes().filter(({ args }) => args.includes("gcs_server"))) process.kill(pid, "SIGKILL");
await until("the nodes die with their head", () => raylets().length === 0, 180);
await until("their programs too", () => trainers().length === 0, 120);
await up();
await until("the study has ended", () => code !== null, 900);
clearInterval(watching);
await sleep(3000);
console.log(
  JSON.stringify({
    ...{ code, said, victims: [victim.run, last.run], twice: [...twice], left: trainers().map(({ run }) => run) },
    seconds: (Date.now() - started) / 1000,
  }),
);
process.exit(0);
