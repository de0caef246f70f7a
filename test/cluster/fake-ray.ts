/**
 * A small stand-in for Ray's job server: it starts entry points with a shell, holds jobs back while its slots are taken, and
 * can lose a job, forget all of them and be away, as the real one was seen to.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

interface FakeJob {
  readonly body: { readonly submission_id: string; readonly entrypoint: string } & Readonly<Record<string, unknown>>;
  status: string;
  message: string;
  child: ChildProcess | null;
}

export interface FakeRay {
  readonly url: string;
  /** Every job that was ever taken, in order. */
  readonly taken: readonly FakeJob["body"][];
  /** Ids of jobs by status, as the server would list them. */
  list(status: string): readonly string[];
  /** How often it was asked what became of a job. */
  asked(id: string): number;
  slots: number;
  /** Begins what waits, as far as there is room. */
  begin(): void;
  /** Kills the program of a job and reports it failed, as when its node dies. */
  lose(id: string): void;
  /** Does not answer any more, and has no record of any job when it is back; `kills`: programs die with it. */
  away(kills: boolean): Promise<void>;
  back(): Promise<void>;
  close(): Promise<void>;
}

export interface FakeNode {
  readonly node_id: string;
  readonly node_ip: string;
  readonly state: string;
  readonly resources_total: Readonly<Record<string, number>>;
}

export async function openFakeRay(nodes: readonly FakeNode[], slots = 8): Promise<FakeRay> {
  const jobs = new Map<string, FakeJob>();
  const taken: FakeJob["body"][] = [];
  const asked = new Map<string, number>();
  let server: Server;
  let port = 0;

  const begin = (job: FakeJob) => {
    const child = spawn("sh", ["-c", job.body.entrypoint], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
    job.child = child;
    job.status = "RUNNING";
    child.on("close", (code) => {
      job.child = null;
      if (job.status === "RUNNING") job.status = code === 0 ? "SUCCEEDED" : "FAILED";
      if (code !== 0) job.message ||= `Job entrypoint command failed with exit code ${code}, last logs:\n${said}`;
      beginAll();
    });
  };
  const beginAll = () => {
    for (const job of jobs.values()) {
      const running = [...jobs.values()].filter(({ status }) => status === "RUNNING").length;
      if (job.status === "PENDING" && running < fake.slots) begin(job);
    }
  };

  const answer = (method: string, path: string, body: string): readonly [number, unknown] => {
    if (path.startsWith("/api/v0/nodes")) return [200, { data: { result: { result: nodes } } }];
    const [, id, action] = /^\/api\/jobs\/([^/]*)(?:\/(\w+))?$/.exec(path) ?? [];
    if (method === "POST" && id === "") {
      const given = JSON.parse(body) as FakeJob["body"];
      if (jobs.has(given.submission_id))
        return [500, `Traceback\nValueError: Job ${given.submission_id} already exists.`];
      jobs.set(given.submission_id, { body: given, status: "PENDING", message: "", child: null });
      taken.push(given);
      setTimeout(beginAll, 20);
      return [200, { submission_id: given.submission_id }];
    }
    const job = jobs.get(id ?? "");
    if (method === "GET") asked.set(id!, (asked.get(id!) ?? 0) + 1);
    if (job === undefined) return [404, `Job ${id} does not exist`];
    if (method === "GET") return [200, { status: job.status, message: job.message }];
    if (action === "stop" && job.status === "RUNNING") {
      job.child?.kill("SIGTERM");
      job.child?.once("close", () => (job.status = "STOPPED"));
    }
    return [200, { stopped: true }]; // for a pending job, too, which begins all the same
  };

  const listen = async () => {
    server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      request.on("end", () => {
        const isBrowser = request.method !== "GET" && "sec-fetch-mode" in request.headers;
        const [status, reply] = isBrowser
          ? [405, "405: Method Not Allowed"]
          : answer(request.method!, request.url!, body);
        response.writeHead(status).end(typeof reply === "string" ? reply : JSON.stringify(reply));
      });
    });
    await new Promise<void>((ready) => server.listen(port, "127.0.0.1", ready));
    ({ port } = server.address() as AddressInfo);
  };
  const shut = () => {
    server.closeAllConnections();
    return new Promise<void>((closed) => server.close(() => closed()));
  };
  await listen();
  const fake: FakeRay = {
    url: `http://127.0.0.1:${port}`,
    taken,
    slots,
    list: (status) => [...jobs].filter(([, job]) => job.status === status).map(([id]) => id),
    asked: (id) => asked.get(id) ?? 0,
    begin: beginAll,
    lose(id) {
      const job = jobs.get(id)!;
      job.status = "FAILED";
      job.message = "Job supervisor actor died: The node was terminated unexpectedly";
      job.child?.kill("SIGKILL");
    },
    async away(kills) {
      if (kills) for (const { child } of jobs.values()) child?.kill("SIGKILL");
      jobs.clear();
      await shut();
    },
    back: listen,
    async close() {
      for (const { child } of jobs.values()) child?.kill("SIGKILL");
      await shut();
    },
  };
  return fake;
}
