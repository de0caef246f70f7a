import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { datasetPlan, modelPlan, openRepositoryId, openSnapshot } from "../../src/io/hub/index.ts";
import { openWeights } from "../../src/io/weights.ts";
import { type FakeHub, gitSha1, sha256, startHub } from "./hub-server.ts";
import { filesBelow, model, modelFiles, settings, temporaryFolder, WANTED } from "./repositories.ts";

const TOKEN = "hf_secretTokenOfTheTest";
const files = modelFiles();
const single = { "config.json": '{"a":1}', "tokenizer.json": "{}", "model.safetensors": Buffer.alloc(3000, 7) };
const plan = modelPlan({ weights: true });
const fast = { pauseMs: 1 };
let hub: FakeHub;

beforeAll(async () => {
  hub = await startHub({
    "models/org/model": {
      files,
      revisions: { "v1.0": { ...files, "config.json": '{"model_type":"old"}' }, "refs/pr/1": single },
    },
    "models/org/single": { files: single },
    "models/org/private": { files: single, token: TOKEN },
    "models/org/gated": { files: single, token: TOKEN, gated: true },
    "models/org/pickles": { files: { "config.json": "{}", "tokenizer.json": "{}", "pytorch_model.bin": "x" } },
    "models/org/empty-file": { files: { ...single, "merges.txt": "" } },
    "datasets/org/data": {
      files: { "data/train-00000.parquet": Buffer.alloc(400, 3), "test.jsonl": "{}", "loader.py": "x", "x.pkl": "y" },
    },
  });
});
afterAll(() => hub.close());
afterEach(() => {
  hub.fault = () => null;
  hub.log.length = 0;
});

const blobOf = (data: Uint8Array | string) => (Buffer.byteLength(data) > 200 ? sha256(data) : gitSha1(data));
const downloads = () => hub.log.filter(({ host, path }) => host === "cdn" || path.includes("/resolve/"));

describe("a download", () => {
  it("brings what a model needs, in the layout of Python's cache", async () => {
    const s = settings(hub.endpoint);
    const progress: (readonly [number, number])[] = [];
    const onProgress = (done: number, total: number) => void progress.push([done, total]);
    const { folder, commit } = await openSnapshot(s, model("org/model"), plan, { ...fast, onProgress });
    expect(commit).toBe(hub.commitOf("models/org/model"));
    const root = join(s.cache, "models--org--model");
    expect(folder).toBe(join(root, "snapshots", commit));
    expect(readdirSync(folder).sort()).toEqual(WANTED);
    expect(readdirSync(join(root, "blobs")).sort()).toEqual(WANTED.map((name) => blobOf(files[name]!)).sort());
    expect(readFileSync(join(root, "refs/main"), "utf8")).toBe(commit);
    for (const name of WANTED) {
      expect(readlinkSync(join(folder, name))).toBe(`../../blobs/${blobOf(files[name]!)}`);
      expect(readFileSync(join(folder, name))).toEqual(files[name]);
    }
    const weights = openWeights(folder);
    expect(weights.readFloat32("b")[0]).toBe(1.5);
    weights.close();
    expect(progress.at(-1)![0]).toBe(progress.at(-1)![1]);
  });

  it("happens once; without a question to the Hub when offline", async () => {
    const s = settings(hub.endpoint);
    const first = await openSnapshot(s, model("org/model"), plan, fast);
    hub.log.length = 0;
    expect(await openSnapshot(s, model("org/model"), plan, fast)).toEqual(first);
    expect(downloads()).toEqual([]);
    hub.log.length = 0;
    expect(await openSnapshot({ ...s, offline: true }, model("org/model"), plan, fast)).toEqual(first);
    expect(hub.log).toEqual([]);
  });

  it("shares what revisions have in common; a pinned revision is another folder", async () => {
    const s = settings(hub.endpoint);
    const main = await openSnapshot(s, model("org/model"), plan, fast);
    hub.log.length = 0;
    const old = await openSnapshot(s, model("org/model@v1.0"), plan, fast);
    expect(downloads().map(({ path }) => path)).toEqual([`/org/model/resolve/${old.commit}/config.json`]);
    expect(readFileSync(join(old.folder, "config.json"), "utf8")).toBe('{"model_type":"old"}');
    const byCommit = await openSnapshot(s, model("org/model", main.commit), plan, fast);
    expect(byCommit).toEqual(main);
    const pull = await openSnapshot(s, model("org/model", "refs/pr/1"), plan, fast);
    expect(readFileSync(join(s.cache, "models--org--model/refs/refs/pr/1"), "utf8")).toBe(pull.commit);
  });

  it("leaves weights out where random ones will be drawn, and takes a file without content", async () => {
    const s = settings(hub.endpoint);
    const { folder } = await openSnapshot(s, model("org/pickles"), modelPlan({ weights: false }), fast);
    expect(readdirSync(folder).sort()).toEqual(["config.json", "tokenizer.json"]);
    const empty = await openSnapshot(s, model("org/empty-file"), plan, fast);
    expect(readFileSync(join(empty.folder, "merges.txt"), "utf8")).toBe("");
  });

  it("refuses a repository that only has pickles", async () => {
    const opened = openSnapshot(settings(hub.endpoint), model("org/pickles"), plan, fast);
    await expect(opened).rejects.toThrow(
      /model org\/pickles: .*pytorch_model\.bin, but no model\.safetensors.*safetensors only/,
    );
  });

  it("brings a data set without code and pickles", async () => {
    const s = settings(hub.endpoint);
    const { folder, commit } = await openSnapshot(
      s,
      openRepositoryId("dataset", "org/data", null),
      datasetPlan(),
      fast,
    );
    expect(folder).toBe(join(s.cache, "datasets--org--data/snapshots", commit));
    expect(filesBelow(folder)).toEqual(["data/train-00000.parquet", "test.jsonl"]);
    expect(readlinkSync(join(folder, "data/train-00000.parquet"))).toMatch(/^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
  });
});

describe("an interrupted download", () => {
  const repository = () => model("org/single");
  const blob = sha256(single["model.safetensors"]);

  it("goes on where the connection broke, with a range request", async () => {
    let breaks = 2;
    hub.fault = ({ host }) => (host === "cdn" && breaks-- > 0 ? { breakAfter: 1000 } : null);
    const { folder } = await openSnapshot(settings(hub.endpoint), repository(), plan, fast);
    expect(readFileSync(join(folder, "model.safetensors"))).toEqual(single["model.safetensors"]);
    expect(hub.log.filter(({ host }) => host === "cdn").map(({ range }) => range)).toEqual([
      undefined,
      "bytes=1000-",
      "bytes=2000-",
    ]);
  });

  it("goes on from the .incomplete file of an earlier run", async () => {
    const s = settings(hub.endpoint);
    hub.fault = ({ host, range }) => (host === "cdn" ? (range ? { status: 503 } : { breakAfter: 1234 }) : null);
    await expect(openSnapshot(s, repository(), plan, fast)).rejects.toThrow(/answered 503, 5 times in a row/);
    const left = join(s.cache, "models--org--single/blobs", `${blob}.incomplete`);
    expect(readFileSync(left)).toEqual(single["model.safetensors"].subarray(0, 1234));
    expect(existsSync(join(s.cache, "models--org--single/refs"))).toBe(false);
    hub.fault = () => null;
    hub.log.length = 0;
    const { folder } = await openSnapshot(s, repository(), plan, fast);
    expect(readFileSync(join(folder, "model.safetensors"))).toEqual(single["model.safetensors"]);
    expect(hub.log.filter(({ host }) => host === "cdn").map(({ range }) => range)).toEqual(["bytes=1234-"]);
    expect(existsSync(left)).toBe(false);
  });

  it("goes on from the part of a process that was killed, and leaves a living one's alone", async () => {
    const s = settings(hub.endpoint);
    const blobs = join(s.cache, "models--org--single/blobs");
    mkdirSync(blobs, { recursive: true });
    const part = (pid: number) => join(blobs, `${blob}.${encodeURIComponent(hostname())}-${pid}.incomplete`);
    writeFileSync(part(2 ** 22 + 1), single["model.safetensors"].subarray(0, 900));
    writeFileSync(part(1), single["model.safetensors"].subarray(0, 1500));
    await openSnapshot(s, repository(), plan, fast);
    expect(hub.log.filter(({ host }) => host === "cdn").map(({ range }) => range)).toEqual(["bytes=900-"]);
    expect(readFileSync(part(1))).toHaveLength(1500);
  });

  it("starts again where the server knows no ranges, or what was left is damaged or too long", async () => {
    const s = settings(hub.endpoint);
    const blobs = join(s.cache, "models--org--single/blobs");
    mkdirSync(blobs, { recursive: true });
    for (const [left, ranges, ignoreRange] of [
      [Buffer.alloc(500, 7), ["bytes=500-"], true],
      [Buffer.alloc(500, 9), ["bytes=500-", undefined], false],
      [Buffer.alloc(5000, 7), [undefined], false],
      [Buffer.alloc(3000, 9), [undefined], false],
      [Buffer.alloc(3000, 7), [], false],
    ] as const) {
      writeFileSync(join(blobs, `${blob}.incomplete`), left);
      hub.fault = () => ({ ignoreRange });
      hub.log.length = 0;
      const { folder } = await openSnapshot(s, repository(), plan, fast);
      expect(readFileSync(join(folder, "model.safetensors"))).toEqual(single["model.safetensors"]);
      expect(hub.log.filter(({ host }) => host === "cdn").map(({ range }) => range)).toEqual(ranges);
      rmSync(join(blobs, blob));
    }
  });

  it("stops when it is told to, and keeps what is there", async () => {
    const s = settings(hub.endpoint);
    const stop = new AbortController();
    hub.fault = ({ host }) => (host === "cdn" ? { breakAfter: 1000 } : null);
    const onNotice = () => stop.abort();
    await expect(openSnapshot(s, repository(), plan, { ...fast, onNotice, signal: stop.signal })).rejects.toThrow(
      /abort/i,
    );
    expect(lstatSync(join(s.cache, "models--org--single/blobs", `${blob}.incomplete`)).size).toBe(1000);
  });
});

describe("what arrives is checked", () => {
  it.each([
    ["an LFS file by its SHA-256", "cdn", "model.safetensors"],
    ["any other by git's SHA-1", "hub", "config.json"],
  ])("%s", async (_, host, name) => {
    const content = Buffer.from(single[name as keyof typeof single]);
    const wrong = Buffer.from(content);
    wrong[0]! ^= 1;
    const s = settings(hub.endpoint);
    hub.fault = (r) => (r.host === host && (host === "cdn" || r.path.endsWith(name)) ? { body: wrong } : null);
    await expect(openSnapshot(s, model("org/single"), plan, fast)).rejects.toThrow(
      new RegExp(
        `${name} of model org/single arrived with checksum ${blobOf(wrong)} where the Hub states ${blobOf(content)}`,
      ),
    );
    expect(filesBelow(s.cache).filter((path) => path.includes(blobOf(content)))).toEqual([]);
  });

  it("a file that is longer than stated does not fill the disk", async () => {
    const s = settings(hub.endpoint);
    hub.fault = ({ host }) => (host === "cdn" ? { body: Buffer.alloc(5_000_000, 7) } : null);
    await expect(openSnapshot(s, model("org/single"), plan, fast)).rejects.toThrow(/longer than the 3000 bytes/);
    expect(filesBelow(s.cache).some((path) => path.includes("incomplete"))).toBe(false);
  });

  it("a file that stays shorter than stated is an error", async () => {
    hub.fault = ({ host }) => (host === "cdn" ? { body: Buffer.alloc(100, 7) } : null);
    const opened = openSnapshot(settings(hub.endpoint), model("org/single"), plan, fast);
    await expect(opened).rejects.toThrow(/cdn|answered 416|broke off at 100 of 3000 bytes/);
  });
});

describe("the Hub refuses", () => {
  const open = (id: string, env = {}) => openSnapshot(settings(hub.endpoint, env), model(id), plan, fast);
  const withToken = { HF_TOKEN: TOKEN };
  const otherToken = { HF_TOKEN: "hf_anotherToken" };

  it("a private model without a token, or with another's", async () => {
    await expect(open("org/private")).rejects.toThrow(
      /org\/private.*401.*private; check the name; if it is private, set HF_TOKEN/,
    );
    await expect(open("org/private", otherToken)).rejects.toThrow(/org\/private.*401.*token .* is still valid/);
    expect((await open("org/private", withToken)).folder).toContain("models--org--private");
    hub.fault = () => ({ status: 403 });
    await expect(open("org/private", otherToken)).rejects.toThrow(
      /403: your token may not read it; ask for access at http/,
    );
  });

  it("a gated model", async () => {
    await expect(open("org/gated")).rejects.toThrow(
      /org\/gated is gated: accept its terms at http.*\/org\/gated.*set HF_TOKEN/,
    );
    await expect(open("org/gated", otherToken)).rejects.toThrow(/is gated: accept its terms/);
    expect((await open("org/gated", withToken)).folder).toContain("models--org--gated");
  });

  it("what is not there: the repository, the revision", async () => {
    await expect(open("org/nothing", withToken)).rejects.toThrow(/model org\/nothing is not on the Hub .*404/);
    await expect(open("org/model@v9")).rejects.toThrow(/^model org\/model has no revision "v9"$/);
  });

  it.each([500, 502, 503, 504, 429, 408])(
    "with %i, is asked again, and is an error when it goes on",
    async (status) => {
      let times = 3;
      hub.fault = ({ path }) => (path.includes("/api/") && times-- > 0 ? { status } : null);
      const notices: string[] = [];
      const s = settings(hub.endpoint);
      await openSnapshot(s, model("org/single"), plan, { ...fast, onNotice: (text) => void notices.push(text) });
      expect(notices).toHaveLength(3);
      expect(notices[0]).toMatch(new RegExp(`answered ${status}.*; trying again in 0\\.0 s`));
      hub.fault = () => ({ status });
      await expect(open("org/single")).rejects.toThrow(new RegExp(`answered ${status}.*, 5 times in a row`));
    },
  );

  it("asks for patience: a short wait is kept, a long one told", async () => {
    let times = 1;
    hub.fault = () => (times-- > 0 ? { status: 429, headers: { "retry-after": "0" } } : null);
    await open("org/single");
    hub.fault = () => ({ status: 429, headers: { "retry-after": "3600" } });
    await expect(open("org/single")).rejects.toThrow(/too many requests\) and asks to wait 3600 s/);
  });

  it("by silence, by nonsense, by redirecting in circles or to another protocol", async () => {
    hub.fault = () => ({ silent: true });
    const silent = openSnapshot(settings(hub.endpoint), model("org/single"), plan, { ...fast, silenceMs: 300 });
    await expect(silent).rejects.toThrow(/cannot be reached \(silent for 0\.3 s\), 5 times/);
    for (const body of ["<html>", "[]", '{"sha":"../../../etc"}', '"x"', "null"]) {
      hub.fault = ({ path }) => (path.includes("/revision/") ? { body } : null);
      await expect(open("org/single")).rejects.toThrow(/the answer of http.* cannot be used/);
    }
    for (const body of [
      "{}",
      "null",
      '[{"type":"file"}]',
      '[{"type":"file","path":"a","size":-1,"oid":"x"}]',
      "[[]]",
    ]) {
      hub.fault = ({ path }) => (path.includes("/tree/") ? { body } : null);
      await expect(open("org/single")).rejects.toThrow(/cannot be used/);
    }
    hub.fault = ({ path }) => ({ status: 307, headers: { location: path } });
    await expect(open("org/single")).rejects.toThrow(/redirects without end/);
    hub.fault = () => ({ status: 302, headers: { location: "file:///etc/passwd" } });
    await expect(open("org/single")).rejects.toThrow(/redirects to an address that is not followed/);
  });
});

describe("without the Hub", () => {
  let gone: string;
  beforeAll(async () => {
    const closed = await startHub({});
    await closed.close();
    gone = closed.endpoint;
  });

  it("the cache serves when it is whole, with a notice", async () => {
    const s = settings(hub.endpoint);
    const online = await openSnapshot(s, model("org/model"), plan, fast);
    const notices: string[] = [];
    const onNotice = (text: string) => void notices.push(text);
    const offline = await openSnapshot({ ...s, endpoint: gone }, model("org/model"), plan, { ...fast, onNotice });
    expect(offline).toEqual(online);
    expect(notices.at(-1)).toMatch(/ECONNREFUSED.*the copy in the cache is used/);
  });

  it("an empty or incomplete cache is an error that says so", async () => {
    await expect(openSnapshot(settings(gone), model("org/model"), plan, fast)).rejects.toThrow(
      /model org\/model: 127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\)/,
    );
    const s = settings(hub.endpoint, { HF_HUB_OFFLINE: "1" });
    await expect(openSnapshot(s, model("org/model"), plan, fast)).rejects.toThrow(
      /model org\/model is not in the cache .*HF_HUB_OFFLINE forbids/,
    );
    const online = { ...s, offline: false };
    await openSnapshot(online, model("org/model"), modelPlan({ weights: false }), fast);
    await expect(openSnapshot(s, model("org/model"), plan, fast)).rejects.toThrow(
      /in the cache without model-00001-of-00002/,
    );
    expect(hub.log.filter(({ host }) => host === "cdn")).toHaveLength(1); // tokenizer.json alone
  });
});

describe("the token", () => {
  it("goes to the Hub alone, not to the host it redirects to", async () => {
    await openSnapshot(settings(hub.endpoint, { HF_TOKEN: TOKEN }), model("org/private"), plan, fast);
    const cdn = hub.log.filter(({ host }) => host === "cdn");
    expect(cdn.length).toBeGreaterThan(0);
    expect(cdn.map(({ authorization }) => authorization)).toEqual(cdn.map(() => undefined));
    for (const { host, authorization } of hub.log) if (host === "hub") expect(authorization).toBe(`Bearer ${TOKEN}`);
  });

  it("is in no message, whatever the server says", async () => {
    const messages: string[] = [];
    const echo = `token ${TOKEN} is wrong`;
    const headers = { "x-error-message": echo, "x-request-id": echo, location: `http://${TOKEN}@127.0.0.1/` };
    for (const status of [302, 400, 401, 403, 404, 429, 503]) {
      hub.fault = () => ({ status, headers, body: echo });
      const onNotice = (text: string) => void messages.push(text);
      const opened = openSnapshot(settings(hub.endpoint, { HF_TOKEN: TOKEN }), model("org/single"), plan, {
        ...fast,
        onNotice,
      });
      const error = await opened.catch((thrown: unknown) => thrown);
      for (let at: unknown = error; at instanceof Error; at = at.cause) messages.push(`${at.message} ${at.stack}`);
    }
    expect(messages.length).toBeGreaterThan(7);
    expect(messages.filter((text) => text.includes(TOKEN))).toEqual([]);
  });
});

describe("names that lead out of the cache", () => {
  it.each([
    "../../x",
    "a/../../x",
    "/etc/x",
    "..",
    "a//b",
    "a/./b",
    "C:x",
    "a\\..\\..\\x",
    "\\\\host\\x",
    "a\u0000b",
    "",
    "config.json/..",
  ])("%j is refused, and nothing is written", async (path) => {
    const home = temporaryFolder();
    const s = settings(hub.endpoint, { HF_HOME: join(home, "deep/in") });
    const entry = { type: "file", path, size: 2, oid: gitSha1("{}") };
    hub.fault = (r) => (r.path.includes("/tree/") ? { body: JSON.stringify([entry]) } : null);
    await expect(openSnapshot(s, model("org/single"), plan, fast)).rejects.toThrow(
      /could leave the cache|cannot be used/,
    );
    expect(filesBelow(home)).toEqual([]);
  });

  it("an index may name files of its own folder only", async () => {
    const index = JSON.stringify({ weight_map: { a: "../../../x.safetensors" } });
    const entries = ["config.json", "tokenizer.json"].map((path) => ({
      type: "file",
      path,
      size: 2,
      oid: gitSha1("{}"),
    }));
    const own = { type: "file", path: "model.safetensors.index.json", size: index.length, oid: gitSha1(index) };
    hub.fault = ({ path }) => {
      if (path.includes("/tree/")) return { body: JSON.stringify([...entries, own]) };
      return path.endsWith("index.json") ? { status: 200, body: index } : null;
    };
    await expect(openSnapshot(settings(hub.endpoint), model("org/single"), plan, fast)).rejects.toThrow(
      /places tensor "a" in "..\/..\/..\/x\.safetensors"; a shard must be a file name in the same folder/,
    );
  });

  it("links that lie in the cache are not followed out of it", async () => {
    const outside = temporaryFolder();
    const repository = openRepositoryId("dataset", "org/data", null);
    const commit = hub.commitOf("datasets/org/data");
    const s = settings(hub.endpoint);
    const root = join(s.cache, "datasets--org--data");
    mkdirSync(join(root, "snapshots", commit), { recursive: true });
    symlinkSync(outside, join(root, "snapshots", commit, "data"));
    await expect(openSnapshot(s, repository, datasetPlan(), fast)).rejects.toThrow(
      /data leads out of the cache: delete it/,
    );
    expect(readdirSync(outside)).toEqual([]);

    const t = settings(hub.endpoint);
    const blobs = join(t.cache, "models--org--single/blobs");
    mkdirSync(blobs, { recursive: true });
    writeFileSync(join(outside, "victim"), "kept");
    symlinkSync(join(outside, "victim"), join(blobs, `${sha256(single["model.safetensors"])}.incomplete`));
    mkdirSync(join(t.cache, "models--org--single/refs"));
    symlinkSync(join(outside, "victim"), join(t.cache, "models--org--single/refs/main"));
    await openSnapshot(t, model("org/single"), plan, fast);
    expect(readFileSync(join(outside, "victim"), "utf8")).toBe("kept");
  });
});
