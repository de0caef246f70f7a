/** Needs Python with huggingface_hub: VIVA_PYTHON names the interpreter, python3 otherwise; skipped without it. */
import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { modelPlan, openSnapshot } from "../../src/io/hub/index.ts";
import { type FakeHub, startHub } from "./hub-server.ts";
import { filesBelow, model, modelFiles, settings, WANTED } from "./repositories.ts";

const python = process.env["VIVA_PYTHON"] ?? "python3";
const version = installedVersion();
const plan = modelPlan({ weights: true });
let hub: FakeHub;

beforeAll(async () => {
  hub = await startHub({ "models/org/model": { files: modelFiles() } });
});
afterAll(() => hub.close());
afterEach(() => {
  hub.log.length = 0;
});

function installedVersion(): string | null {
  try {
    const stdio = ["ignore", "pipe", "ignore"] as const;
    const code = "import huggingface_hub; print(huggingface_hub.__version__)";
    return execFileSync(python, ["-c", code], { encoding: "utf8", stdio: [...stdio] }).trim();
  } catch {
    return null;
  }
}

/** What Python's snapshot_download returns. */
async function snapshotDownload(cache: string, options: string): Promise<string> {
  const code = `from huggingface_hub import snapshot_download; print(snapshot_download("org/model", ${options}))`;
  const env = { ...process.env, HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache, HF_HUB_DISABLE_XET: "1" };
  const { stdout } = await promisify(execFile)(python, ["-c", code], { env });
  return stdout.trim();
}

const downloads = () =>
  hub.log.filter(({ method, host, path }) => method === "GET" && (host === "cdn" || /resolve/.test(path)));

describe.skipIf(version === null)(`one cache with huggingface_hub ${version ?? "(not installed)"}`, () => {
  it("Python finds what viva downloaded", async () => {
    const s = settings(hub.endpoint);
    const { folder } = await openSnapshot(s, model("org/model"), plan);
    hub.log.length = 0;
    expect(await snapshotDownload(s.cache, "local_files_only=True")).toBe(folder);
    expect(hub.log).toEqual([]);
    const patterns = JSON.stringify(WANTED);
    expect(await snapshotDownload(s.cache, `allow_patterns=${patterns}`)).toBe(folder);
    expect(downloads()).toEqual([]);
    expect(await snapshotDownload(s.cache, "")).toBe(folder); // fetches what viva left out, and only that
    expect(downloads().filter(({ path }) => WANTED.some((name) => path.endsWith(name)))).toEqual([]);
    expect(filesBelow(folder)).toEqual(Object.keys(modelFiles()).sort());
  });

  it("viva finds what Python downloaded", async () => {
    const s = settings(hub.endpoint);
    const folder = await snapshotDownload(s.cache, "");
    hub.log.length = 0;
    expect((await openSnapshot(s, model("org/model"), plan)).folder).toBe(folder);
    expect(downloads()).toEqual([]);
    hub.log.length = 0;
    expect((await openSnapshot({ ...s, offline: true }, model("org/model"), plan)).folder).toBe(folder);
    expect(hub.log).toEqual([]);
  });
});
