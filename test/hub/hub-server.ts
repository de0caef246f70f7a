/** Imitates the Hub's API on the loopback: repositories in memory, a CDN on a port of its own, faults on demand. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeRepository {
  /** By path; what is longer than 200 bytes is an LFS file and comes from the CDN. */
  readonly files: Readonly<Record<string, Uint8Array | string>>;
  /** Only this token may read it. */
  readonly token?: string;
  readonly gated?: boolean;
  /** Further branches and tags, by the files they hold. */
  readonly revisions?: Readonly<Record<string, Readonly<Record<string, Uint8Array | string>>>>;
}

/** What a request is answered with in place of the truth. */
export interface Fault {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The connection breaks after so many bytes of the body. */
  readonly breakAfter?: number;
  /** Bytes to send in place of the content. */
  readonly body?: Uint8Array | string;
  /** Never answers. */
  readonly silent?: boolean;
  /** Sends the whole file, whatever range was asked for. */
  readonly ignoreRange?: boolean;
}

export interface LoggedRequest {
  readonly host: "hub" | "cdn";
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

export interface FakeHub {
  readonly endpoint: string;
  readonly cdn: string;
  /** Every request so far; may be emptied. */
  readonly log: LoggedRequest[];
  /** Asked before each answer. */
  fault: (request: LoggedRequest) => Fault | null;
  commitOf(id: string, revision?: string): string;
  close(): Promise<void>;
}

/** Starts the servers; repositories by "models/org/name" or "datasets/org/name". */
export async function startHub(repositories: Readonly<Record<string, FakeRepository>>): Promise<FakeHub> {
  const log: LoggedRequest[] = [];
  const handle = (host: "hub" | "cdn") => (request: IncomingMessage, response: ServerResponse) => {
    const { method = "GET", headers } = request;
    const entry = {
      host,
      method,
      path: request.url ?? "/",
      authorization: headers.authorization,
      range: headers.range,
    };
    log.push(entry);
    answer(hub, repositories, entry, response);
  };
  const servers = [createServer(handle("hub")), createServer(handle("cdn"))];
  const [endpoint, cdn] = await Promise.all(servers.map(listen));
  const hub: FakeHub = {
    endpoint: endpoint!,
    cdn: cdn!,
    log,
    fault: () => null,
    commitOf: (id, revision = "main") => commitOf(id, filesOf(repositories[id]!, revision)!),
    close: async () => {
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
  return hub;
}

export function sha256(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}

/** The name git gives a file's content. */
export function gitSha1(data: Uint8Array | string): string {
  return createHash("sha1")
    .update(`blob ${Buffer.byteLength(data)}\0`)
    .update(data)
    .digest("hex");
}

const PAGE = 3;
const isLfs = (content: Uint8Array | string) => Buffer.byteLength(content) > 200;

/** What goes back over the wire. */
interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

function answer(
  hub: FakeHub,
  repositories: Readonly<Record<string, FakeRepository>>,
  entry: LoggedRequest,
  response: ServerResponse,
): void {
  const fault = hub.fault(entry) ?? {};
  if (fault.silent) return;
  const reply =
    fault.status === undefined ? truth(hub, repositories, entry, fault) : { ...fault, status: fault.status };
  const body = Buffer.from(reply.body ?? "");
  response.writeHead(reply.status, { "content-length": String(body.length), ...reply.headers });
  if (entry.method === "HEAD" || fault.breakAfter === undefined) response.end(entry.method === "HEAD" ? "" : body);
  else response.write(body.subarray(0, fault.breakAfter), () => setTimeout(() => response.destroy(), 20));
}

function truth(
  hub: FakeHub,
  repositories: Readonly<Record<string, FakeRepository>>,
  entry: LoggedRequest,
  fault: Fault,
): Reply {
  const url = new URL(entry.path, hub.endpoint);
  if (entry.host === "cdn") {
    const all = Object.values(repositories).flatMap(({ files, revisions = {} }) => [
      files,
      ...Object.values(revisions),
    ]);
    const content = all.flatMap((files) => Object.values(files)).find((data) => url.pathname === `/${sha256(data)}`);
    return content === undefined ? { status: 404 } : ranged(fault.body ?? content, entry, fault);
  }
  const api = /^\/api\/(models|datasets)\/([^/]+\/[^/]+)\/(revision|tree)\/([^/?]+)$/.exec(url.pathname);
  const file = /^\/(datasets\/)?([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
  const id = api ? `${api[1]}/${api[2]}` : file ? `${file[1] ?? "models/"}${file[2]}` : "";
  const repository = repositories[id];
  const deny = (status: number, code: string): Reply => ({ status, headers: { "x-error-code": code }, body: "{}" });
  if (repository === undefined) return deny(entry.authorization ? 404 : 401, "RepoNotFound");
  if (repository.token !== undefined && entry.authorization !== `Bearer ${repository.token}`) {
    if (!repository.gated) return deny(401, "RepoNotFound");
    if (file) return deny(entry.authorization ? 403 : 401, "GatedRepo");
  }
  const files = filesOf(repository, decodeURIComponent((api ? api[4] : file![3])!), id);
  if (files === null) return deny(404, "RevisionNotFound");
  const commit = commitOf(id, files);
  if (api?.[3] === "revision") {
    const info = { _id: "1", id: api[2], sha: commit, tags: [], siblings: [], likes: 0, downloads: 0, private: false };
    return json({ ...info, lastModified: "2026-01-01T00:00:00.000Z" }, {}, fault);
  }
  if (api) return json(...pageOf(hub, files, url), fault);
  const content = files[decodeURIComponent(file![4]!)];
  if (content === undefined) return deny(404, "EntryNotFound");
  const etag = isLfs(content) ? sha256(content) : gitSha1(content);
  const headers = { "x-repo-commit": commit, etag: `"${etag}"`, "x-linked-etag": `"${etag}"` };
  if (!isLfs(content)) return ranged(fault.body ?? content, entry, fault, headers);
  const linked = {
    "x-linked-size": String(Buffer.byteLength(content)),
    location: `${hub.cdn}/${etag}?signature=secret`,
  };
  return { status: 302, headers: { ...headers, ...linked } };
}

/** A page of the list of files, and the header that names the next one. */
function pageOf(hub: FakeHub, files: FakeRepository["files"], url: URL): [unknown, Readonly<Record<string, string>>] {
  const entries = Object.entries(files).map(([path, data]) => {
    const size = Buffer.byteLength(data);
    if (!isLfs(data)) return { type: "file", path, oid: gitSha1(data), size };
    return { type: "file", path, oid: gitSha1("pointer"), size, lfs: { oid: sha256(data), size, pointerSize: 135 } };
  });
  const at = Number(url.searchParams.get("cursor") ?? 0);
  const next = new URLSearchParams(url.searchParams);
  next.set("cursor", String(at + PAGE));
  const link = { link: `<${hub.endpoint}${url.pathname}?${next}>; rel="next"` };
  return [entries.slice(at, at + PAGE), at + PAGE < entries.length ? link : {}];
}

function ranged(
  data: Uint8Array | string,
  { range }: LoggedRequest,
  { ignoreRange }: Fault,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  const content = Buffer.from(data);
  const from = ignoreRange ? 0 : Number(/^bytes=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
  if (from === 0) return { status: 200, headers, body: content };
  if (from >= content.length) return { status: 416 };
  const part = { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` };
  return { status: 206, headers: { ...headers, ...part }, body: content.subarray(from) };
}

function json(value: unknown, headers: Readonly<Record<string, string>>, fault: Fault): Reply {
  return {
    status: 200,
    headers: { "content-type": "application/json", ...headers },
    body: fault.body ?? JSON.stringify(value),
  };
}

/** The files of a branch, a tag or a commit. */
function filesOf(repository: FakeRepository, revision: string, id = ""): FakeRepository["files"] | null {
  const all = { main: repository.files, HEAD: repository.files, ...repository.revisions };
  if (Object.hasOwn(all, revision)) return all[revision as keyof typeof all]!;
  return Object.values(all).find((files) => commitOf(id, files) === revision) ?? null;
}

function commitOf(id: string, files: FakeRepository["files"]): string {
  const content = Object.entries(files).map(([path, data]) => [path, sha256(data)]);
  return sha256(JSON.stringify([id, content])).slice(0, 40);
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
