import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LiveQuestion } from "../../src/core/live-answers.ts";
import { probeResults } from "../../src/evaluate/probes/results.ts";
import { pairedChange } from "../../src/evaluate/run-statistics.ts";
import { loadPairs } from "../../src/session/pairs.ts";
import type { ShownProbes } from "../../src/ui/probes.ts";
import type { RunRow } from "../../src/ui/run-row.ts";
import { appOver, ask, group, jsonl, writeUiRun } from "./runs.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "viva-ui-")));
let app: ReturnType<typeof appOver>;
let id: string;
const json = async (path: string, init?: RequestInit) => {
  const answer = await ask(app, path, init);
  return {
    status: answer.status, // biome-ignore lint/suspicious/noExplicitAny: answers of every route are looked into
    body: (await answer.json()) as Record<string, any>,
  };
};
const rows = async () => (await json("/api/runs")).body["runs"] as never as RunRow[];

beforeAll(async () => {
  await writeUiRun(join(root, "good"));
  const make = (name: string, files: Readonly<Record<string, string>>) => {
    mkdirSync(join(root, name), { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(root, name, file), text);
  };
  make("empty", { "recipe.yaml": "" });
  make("half", {
    "recipe.yaml": "name: half\nstages:\n  - kind: grpo\n",
    "metrics.jsonl": '{"step":1,"reward/mean":0.5}\n{"st',
    "rollouts.jsonl": '{"id":"1/0","st',
  });
  make("broken", {
    "recipe.yaml": "name: [",
    "metrics.jsonl": "nonsense\n\u0000\n[1]\n",
    "rollouts.jsonl": 'null\n{"id":1}\n{"id":"1/0","step":1,"completions":[null,3]}\n',
    "evals.jsonl": '{"kind":"summary"}\n{"kind":"summary","step":1}\n',
    "events.jsonl": "{\n",
  });
  make("deep/er/study/arm-1", { "recipe.yaml": "name: arm\n" });
  make("deep/er/study", { "study.yaml": "name: s\n" });
  make("folders", { "recipe.yaml": "name: folders\n" });
  for (const name of ["metrics.jsonl", "rollouts.jsonl", "evals.jsonl"]) mkdirSync(join(root, "folders", name));
  symlinkSync("/etc", join(root, "linked"));
  app = appOver(root);
  id = (await rows()).find(({ path }) => path === "good")!.id;
});
afterAll(() => rmSync(root, { recursive: true }));

describe("runs", () => {
  test("are found with their state; broken and half-written ones do no harm", async () => {
    const all = await rows();
    expect(all.map(({ path }) => path).sort()).toEqual([
      "broken",
      "deep/er/study/arm-1",
      "empty",
      "folders",
      "good",
      "half",
    ]);
    const good = all.find(({ path }) => path === "good")!;
    expect(good).toMatchObject({ status: "finished", step: 4, steps: 4, alarms: 1, rewards: [0.1, 0.2, 0.3, 0.4] });
    expect([good.last?.estimate, good.best?.step]).toEqual([20 / 30, 4]);
    expect(all.find(({ path }) => path === "half")).toMatchObject({ status: "stopped", step: 1 });
    expect(all.find(({ path }) => path === "empty")).toMatchObject({ status: "empty" });
    expect((await json("/api/runs")).body["studies"]).toMatchObject([{ path: "deep/er/study" }]);
  });

  test("every page of every run answers, or says in a sentence why not", async () => {
    for (const { id } of await rows()) {
      for (const page of [
        "",
        "/groups",
        "/statistics",
        "/data",
        "/checkpoints",
        "/calibration",
        "/queue/dr-a",
        "/search/left",
      ]) {
        const { status } = await json(`/api/runs/${id}${page}`);
        expect([id, page, status]).toEqual([id, page, 200]);
      }
    }
    expect((await json("/api/recipes")).status).toBe(200);
    for (const path of [
      "/api/runs/none",
      `/api/runs/${id}/groups/9/9`,
      `/api/runs/${id}/evals/7`,
      `/api/runs/${id}/tokens/x/0`,
      "/api/nothing",
      "/api/studies/none",
    ]) {
      expect([path, (await ask(app, path)).status]).toEqual([path, 404]);
    }
  });

  test("metrics leave out what is no number; groups have their columns", async () => {
    const { body } = await json(`/api/runs/${id}`);
    expect(body["metrics"]["steps"]).toEqual([1, 2, 3, 4]);
    expect(Object.keys(body["metrics"]["values"])).not.toContain("policy/kl");
    expect(body["weights"]).toEqual({ grpo: { accuracy: 1, judge: 0.5 } });
    const groups = (await json(`/api/runs/${id}/groups`)).body;
    expect((groups["ids"] as string[]).slice(0, 3)).toEqual(["1/0", "1/1", "1/2"]);
    expect([groups["truncated"][0], groups["unparsed"][0], groups["divided"][0], groups["sizes"][0]]).toEqual([
      1, 1, 3, 4,
    ]);
    expect(groups["facets"]["modality"]).toHaveLength(12);
    expect((await json(`/api/runs/${id}/search/WHICH%20SIDE%3F%202`)).body["groups"]).toEqual([2, 5, 8, 11]);
  });

  test("the statistics are those of viva report", async () => {
    const { items: before } = (await json(`/api/runs/${id}/evals/0`)).body as never as { items: never[] };
    const { items: after } = (await json(`/api/runs/${id}/evals/1`)).body as never as { items: never[] };
    const { body } = await json(`/api/runs/${id}/statistics`);
    expect(body["changes"][0]["change"]).toEqual(JSON.parse(JSON.stringify(pairedChange(before, after))));
    const compared = (await json(`/api/compare/${id}@0+${id}@4`)).body;
    expect(compared["comparison"]["subsets"][0]["arms"][0]).toMatchObject({ won: 8, lost: 0, verdict: "better" });
    expect([compared["unfair"], compared["cases"].length]).toEqual([[], 30]);
  });

  test("evaluations under other conditions get no verdict", async () => {
    await writeUiRun(join(root, "other"));
    const file = join(root, "other/evals.jsonl");
    writeFileSync(
      file,
      readFileSync(file, "utf8").replaceAll('"max_completion_length":80', '"max_completion_length":256'),
    );
    const fresh = appOver(root);
    const list = (await (await ask(fresh, "/api/runs")).json()) as { runs: RunRow[] };
    const other = list.runs.find(({ path }) => path === "other")!.id;
    const compared = (await (await ask(fresh, `/api/compare/${id}+${other}`)).json()) as { unfair: string[] };
    expect(compared.unfair).toEqual(["decoding of other: max_completion_length 80 against 256"]);
    rmSync(join(root, "other"), { recursive: true });
  });
});

describe("images", () => {
  test("come by hash: 16-bit values as stored, 8-bit ones, a thumbnail", async () => {
    const deep = await ask(app, `/api/runs/${id}/images/${"d".repeat(64)}`);
    expect(JSON.parse(deep.headers.get("x-image")!)).toEqual({ width: 64, height: 48, channels: 1, bits: 16 });
    const values = new Uint16Array(await deep.arrayBuffer());
    expect([values.length, values[0], values[63]]).toEqual([64 * 48, 1000, 1000 + 63 * 40]);
    const film = await ask(app, `/api/runs/${id}/images/${"f".repeat(64)}`);
    expect(JSON.parse(film.headers.get("x-image")!)).toMatchObject({ bits: 8 });
    const small = await ask(app, `/api/runs/${id}/images/${"f".repeat(64)}/thumbnail`);
    expect([small.status, small.headers.get("content-type"), small.headers.get("cache-control")]).toEqual([
      200,
      "image/webp",
      "no-store",
    ]);
  });

  test("of DICOM come as stored values with their units, the modality and the file's window", async () => {
    const golden = realpathSync(join(import.meta.dirname, "../golden/dicom"));
    const folder = await writeUiRun(join(root, "scans"), { steps: 1 });
    const scan = group(2, 0, { image: join(golden, "ct_signed_implicit.dcm"), sha256: "b".repeat(64) });
    appendFileSync(join(folder, "rollouts.jsonl"), jsonl([scan]));
    const open = appOver(root, { imageRoots: [golden] });
    const { runs } = (await (await ask(open, "/api/runs")).json()) as { runs: RunRow[] };
    const of = runs.find(({ path }) => path === "scans")!.id;
    const answer = await ask(open, `/api/runs/${of}/images/${"b".repeat(64)}`);
    const about = JSON.parse(answer.headers.get("x-image")!);
    expect(about).toMatchObject({ width: 64, height: 40, bits: 16, modality: "CT", window: expect.any(Object) });
    const values = new Uint16Array(await answer.arrayBuffer());
    expect(Math.min(...values) * about.slope + about.intercept).toBeLessThan(0); // Hounsfield units of air
    expect((await ask(open, `/api/runs/${of}/images/${"b".repeat(64)}/thumbnail`)).status).toBe(200);
    rmSync(folder, { recursive: true });
  });

  test("of evaluated questions and of tools' turns come by ids that name no path", async () => {
    const { items } = (await json(`/api/runs/${id}/evals/1`)).body as never as { items: { images: string[] }[] };
    expect(items[0]!.images).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    const shown = await ask(app, `/api/runs/${id}/images/${items[1]!.images[0]}`);
    expect(JSON.parse(shown.headers.get("x-image")!)).toMatchObject({ width: 48, height: 36, channels: 1 });
    const { cases } = (await json(`/api/compare/${id}@0+${id}@4`)).body as never as { cases: { images: string[] }[] };
    expect(cases[0]!.images).toEqual(items[0]!.images);
    const groups = (await json(`/api/runs/${id}/groups/1/0`)).body;
    const seen = groups["completions"][0]["turns"][0]["observation"]["image"]["sha256"];
    const [crop, whole] = await Promise.all(
      [seen, "f".repeat(64)].map(async (sha) => (await ask(app, `/api/runs/${id}/images/${sha}`)).arrayBuffer()),
    );
    const channels = whole!.byteLength / (64 * 48);
    const at = (8 * 64 + 8) * channels;
    expect([crop!.byteLength, new Uint8Array(crop!)[0]]).toEqual([32 * 32 * channels, new Uint8Array(whole!)[at]]);
  });

  test("shared by training and evaluation are found by looks, with the score without them", async () => {
    const { body } = await json(`/api/runs/${id}/look-alikes`);
    const pairs = (body["pairs"] as { names: string[]; distance: number; questions: number }[]).map((pair) => ({
      names: pair.names.map((name) => name.split("/").at(-1)),
      same: pair.distance === 0,
      questions: pair.questions,
    }));
    expect(pairs).toContainEqual({ names: ["film.png", "film.png"], same: true, questions: 15 });
    expect(pairs.map(({ names }) => names)).toContainEqual(["deep.png", "again.png"]);
    expect([body["all"].estimate, body["all"].n, body["without"]]).toEqual([20 / 30, 30, null]);
  });

  test("go to a model as the page has windowed them, where that is asked", async () => {
    const seen: LiveQuestion[] = [];
    const play = {
      async *ask(question: LiveQuestion) {
        seen.push(question);
        yield { completion: 0, text: "left", done: true, answer: "left" };
      },
      async close() {},
    };
    const playing = appOver(root, { play });
    const common = { step: null, change: "none", samples: 1, temperature: 0, seed: 1, max_tokens: 5 };
    const askFor = async (sha256: string, window: object | null, more: object = {}) => {
      const given = { question: "Which?", row: null, reference: "left", ...more };
      const body = JSON.stringify({ ...common, image: { sha256 }, window, ...given });
      const headers = { "content-type": "application/json", "x-viva": "1" };
      const answer = await ask(playing, `/api/runs/${id}/play`, { method: "POST", headers, body });
      expect(await answer.text()).toContain("event: end");
      return seen.at(-1)!;
    };
    const film = await askFor("f".repeat(64), { width: 100, level: 100 });
    const [shown] = film.images;
    const whole = (await askFor("f".repeat(64), null)).images[0]!.pixels!;
    const at = (value: number) => Math.round(255 * Math.min(1, Math.max(0, (value - 50) / 100)));
    const off = [...shown!.pixels!.data].map((value, i) => Math.abs(value - at(whole.data[i]!)));
    expect([Math.max(...off) <= 1, new Set(shown!.pixels!.data).size > 20]).toEqual([true, true]); // halves may round either way
    expect([film.reference, film.example]).toEqual([{ answer: "left" }, null]);
    expect((await askFor("d".repeat(64), { width: 1000, level: 2000 })).images[0]).toMatchObject({
      range: [1500, 2500],
    });
    expect((await askFor("d".repeat(64), null)).images[0]).not.toHaveProperty("range");
    // What a group records holds as long as its question stands, and its example is meant only beside its answer.
    const row = { question: "Which side? 1", row: "2/1" };
    const own = { reference: { answer: "left", answerType: "open" }, example: "e1", choices: [] };
    expect(await askFor("d".repeat(64), null, row)).toMatchObject(own);
    const another = { reference: { answer: "right" }, example: null };
    expect(await askFor("d".repeat(64), null, { ...row, reference: "right" })).toMatchObject(another);
    expect((await askFor("d".repeat(64), null, { row: "9/9" })).example).toBe(null);
    const blank = await askFor("d".repeat(64), null, { ...row, change: "blank" });
    expect(blank.images[0]!.path).toBe(`${join(root, "good/deep.png")}#blank`); // no row of the data has it
  });

  test("outside the opened folders, through links, and unknown ones are refused", async () => {
    const outside = await json(`/api/runs/${id}/images/${"e".repeat(64)}`);
    expect([outside.status, outside.body["error"]]).toEqual([
      404,
      expect.stringContaining("outside the opened folders"),
    ]);
    expect((await json(`/api/runs/${id}/images/${"1".repeat(64)}`)).status).toBe(404);
    expect((await ask(app, `/api/runs/${id}/images/..%2F..%2Fetc%2Fpasswd`)).status).toBe(404);
    const secret = mkdtempSync(join(tmpdir(), "viva-secret-"));
    writeFileSync(join(secret, "x.png"), readFileSync(join(root, "good/film.png")));
    symlinkSync(join(secret, "x.png"), join(root, "good/link.png"));
    const more = group(5, 0, { image: join(root, "good/link.png"), sha256: "a".repeat(64) });
    appendFileSync(join(root, "good/rollouts.jsonl"), jsonl([more]));
    expect((await json(`/api/runs/${id}/images/${"a".repeat(64)}`)).body["error"]).toContain(
      "outside the opened folders",
    );
    const allowed = appOver(root, { imageRoots: [realpathSync(secret)] });
    expect((await ask(allowed, `/api/runs/${id}/images/${"a".repeat(64)}`)).status).toBe(200);
    rmSync(secret, { recursive: true });
  });
});

describe("who may ask", () => {
  const get = async (headers: Record<string, string>, path = "/api/runs") =>
    (await app.request(path, { headers })).status;

  test("only loopback names, only the page's own origin", async () => {
    for (const host of ["localhost:1", "127.0.0.1:8321", "[::1]:8321", "127.0.0.1"])
      expect([host, await get({ host })]).toEqual([host, 200]);
    for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", ""])
      expect([host, await get({ host })]).toEqual([host, 403]);
    const host = "127.0.0.1:8321";
    expect(await get({ host, origin: "http://127.0.0.1:8321" })).toBe(200);
    expect(await get({ host, origin: "http://127.0.0.1:9999" })).toBe(403);
    expect(await get({ host, origin: "null" })).toBe(403);
    for (const site of ["cross-site", "same-site"]) expect(await get({ host, "sec-fetch-site": site })).toBe(403);
    expect(await get({ host, "sec-fetch-site": "same-origin" })).toBe(200);
    expect(await get({ host, "sec-fetch-site": "cross-site" }, `/api/runs/${id}/tail`)).toBe(403);
  });

  test("writing takes JSON and the page's own header", async () => {
    const post = async (headers: Record<string, string>) =>
      (await ask(app, `/api/runs/${id}/annotations`, { method: "POST", headers, body: "{}" })).status;
    expect(await post({ "content-type": "text/plain", "x-viva": "1" })).toBe(415);
    expect(await post({ "content-type": "application/json" })).toBe(403);
    expect(await post({ "content-type": "application/json", "x-viva": "1", origin: "http://evil.example" })).toBe(403);
    expect(await post({ "content-type": "application/json", "x-viva": "1" })).toBe(400);
  });

  test("beyond this machine a token opens a session", async () => {
    const access = { origin: "https://station.clinic", token: "secret-token" };
    const open = appOver(root, { access });
    const host = "station.clinic";
    const headers = { host, "content-type": "application/json", "x-viva": "1", origin: access.origin };
    expect((await open.request("/api/runs", { headers: { host } })).status).toBe(401);
    expect((await open.request("/api/runs", { headers: { host: "127.0.0.1" } })).status).toBe(403);
    const wrong = await open.request("/api/session", { method: "POST", headers, body: '{"token":"guess"}' });
    expect([wrong.status, wrong.headers.get("set-cookie")]).toEqual([401, null]);
    const right = await open.request("/api/session", { method: "POST", headers, body: '{"token":"secret-token"}' });
    const cookie = right.headers.get("set-cookie")!;
    expect(cookie).toMatch(/HttpOnly/);
    expect(cookie).toMatch(/SameSite=Strict/);
    expect(cookie).toMatch(/Secure/);
    expect((await open.request("/api/runs", { headers: { host, cookie: cookie.split(";")[0]! } })).status).toBe(200);
  });

  test("every answer carries the policy", async () => {
    for (const path of ["/api/runs", "/api/nothing", `/api/runs/${id}`]) {
      const { headers } = await ask(app, path);
      expect([path, headers.get("content-security-policy")]).toEqual([
        path,
        expect.stringMatching(/^default-src 'none';.*require-trusted-types-for 'script'/),
      ]);
      expect([headers.get("x-content-type-options"), headers.get("cache-control")]).toEqual(["nosniff", "no-store"]);
    }
  });
});

describe("what is said of a run", () => {
  const say = (about: string, note: string | null, by = "dr-a") =>
    json(`/api/runs/${id}/notes`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-viva": "1" },
      body: JSON.stringify({ about, note, by }),
    });
  const row = async () => (await rows()).find((one) => one.id === id)!;

  test("its report is shown as a page in which nothing runs; a link in its place is none", async () => {
    expect((await ask(app, `/api/runs/${id}/report`)).status).toBe(404);
    writeFileSync(join(root, "good/report.html"), "<h1>Report</h1><script>1</script>");
    const report = await ask(app, `/api/runs/${id}/report`);
    const policy = report.headers.get("content-security-policy")!;
    expect([report.status, /^sandbox; default-src 'none'; /.test(policy), policy.includes("script")]).toEqual([
      200,
      true,
      false,
    ]);
    expect(report.headers.get("x-content-type-options")).toBe("nosniff");
    rmSync(join(root, "good/report.html"));
    symlinkSync("/etc/hostname", join(root, "good/report.html"));
    expect((await ask(app, `/api/runs/${id}/report`)).status).toBe(404);
    rmSync(join(root, "good/report.html"));
  });

  test("tags and alarms that were seen to are kept in its folder, and can be taken back", async () => {
    const alarm = "alarm zero_variance  2";
    expect((await row()).alarms).toBe(1);
    await say("tag baseline", "");
    const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    const said = { note: "harder questions", by: "dr-b", at };
    expect((await say(alarm, "harder questions", "dr-b")).body).toEqual({
      "tag baseline": { note: "", by: "dr-a", at },
      [alarm]: said,
    });
    expect(await row()).toMatchObject({ alarms: 0, tags: ["baseline"] });
    expect((await json(`/api/runs/${id}`)).body).toMatchObject({ alarms: [], notes: { [alarm]: said } });
    await say(alarm, null);
    await say("tag baseline", null);
    expect(await row()).toMatchObject({ alarms: 1, tags: [] });
    const lines = readFileSync(join(root, "good/annotations/_run.jsonl"), "utf8").trim().split("\n");
    expect(lines.map((line) => JSON.parse(line)).map(({ note, by }) => [note, by])).toEqual([
      ["", "dr-a"],
      ["harder questions", "dr-b"],
      [null, "dr-a"],
      [null, "dr-a"],
    ]);
    expect((await say("tag baseline", "", "Dr. A/../b")).status).toBe(400);
    for (const about of ["tag two words", "recipe x", "tag "]) expect((await say(about, "")).status).toBe(400);
  });

  test("probes are those of files in its folder, as viva probe prints them", async () => {
    const interval = { estimate: 0.25, low: 0.1, high: 0.4, n: 20, subjects: 10 };
    const measures = [{ name: "flipped_share", condition: "mirrored", unit: "share", interval }];
    const probe = { probe: "mirror", about: "bias", title: "Sides", skipped: null, measures };
    const data = { name: "jsonl", split: "test", questions: 20, limit: null, seed: 1, image_disjoint: false };
    const found = probeResults({ data, subject: "x", prompt: null, protocol: "viva" }, [probe as never]);
    writeFileSync(join(root, "good/probes.json"), JSON.stringify(found));
    const [file, ...others] = (await json(`/api/runs/${id}/probes`)).body as never as ShownProbes[];
    expect(others).toEqual([]); // environment.json is no result of probes
    expect(file!.probes[0]!.rows).toEqual([["flipped share", "mirrored", "20", "25.0 [10.0, 40.0]"]]);
  });
});

describe("a stream", () => {
  const events = async (from: string, until: number, work: () => void = () => {}) => {
    const answer = await ask(app, `/api/runs/${id}/tail?from=${from}`);
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    work();
    while (text.split("\n\n").length <= until) {
      const { value, done } = await reader.read();
      if (done) break;
      text += value;
    }
    await reader.cancel();
    return text.split("\n\n").filter((part) => part !== "");
  };

  test("brings what is appended, with the position it leads to; a half line waits", async () => {
    const { body } = await json(`/api/runs/${id}`);
    const [event] = await events(body["position"], 1, () => {
      appendFileSync(join(root, "good/metrics.jsonl"), '{"step":5,"reward/mean":0.9}\n{"step":6,');
    });
    const data = JSON.parse(/data: (.*)/.exec(event!)![1]!);
    expect(data.metrics).toEqual([{ step: 5, "reward/mean": 0.9 }]);
    const position = /id: (.*)/.exec(event!)![1]!;
    expect(position).not.toBe(body["position"]);
    const [next] = await events(position, 1, () =>
      appendFileSync(join(root, "good/metrics.jsonl"), '"reward/mean":1}\n'),
    );
    expect(JSON.parse(/data: (.*)/.exec(next!)![1]!).metrics).toEqual([{ step: 6, "reward/mean": 1 }]);
  });

  test("says so when files were cut", async () => {
    const { body } = await json(`/api/runs/${id}`);
    truncateSync(join(root, "good/metrics.jsonl"), 0);
    const [event] = await events(body["position"], 1);
    expect(event).toContain("event: reset");
  });
});

describe("annotations", () => {
  const mark = {
    answer: "right",
    rationale: "sound",
    unsafe: false,
    spans: [],
    better_than: null,
    note: "",
    seconds: 3,
  };
  const send = (by: string, target: string, text_sha256: string, o: object = {}) =>
    json(`/api/runs/${id}/annotations`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-viva": "1" },
      body: JSON.stringify({ by, target, text_sha256, withdrawn: false, mark, ...o }),
    });
  const queue = async (by: string) =>
    (await json(`/api/runs/${id}/queue/${by}`)).body["items"] as never as {
      target: string;
      text: string;
      text_sha256: string;
      done: boolean;
    }[];

  test("the queue tells nothing of rewards, run or step, and is the same for everybody", async () => {
    const items = await queue("dr-a");
    expect(items.length).toBeGreaterThan(8);
    expect(Object.keys(items[0]!).sort()).toEqual([
      "answer",
      "choices",
      "done",
      "images",
      "other",
      "question",
      "target",
      "text",
      "text_sha256",
    ]);
    expect(items.map(({ target }) => target)).toEqual((await queue("dr-b")).map(({ target }) => target));
  });

  test("are appended per annotator; the last counts; withdrawing is a line", async () => {
    const [first, second] = await queue("dr-a");
    expect((await send("dr-a", first!.target, first!.text_sha256)).status).toBe(200);
    expect((await send("dr-b", first!.target, first!.text_sha256, { mark: { ...mark, answer: "wrong" } })).status).toBe(
      200,
    );
    expect((await send("dr-a", second!.target, second!.text_sha256)).status).toBe(200);
    expect((await queue("dr-a")).slice(0, 3).map(({ done }) => done)).toEqual([true, true, false]);
    await send("dr-a", second!.target, second!.text_sha256, { withdrawn: true });
    expect((await queue("dr-a")).slice(0, 3).map(({ done }) => done)).toEqual([true, false, false]);
    const folder = join(root, "good/annotations");
    expect(
      readdirSync(folder)
        .filter((name) => !name.startsWith("_"))
        .sort(),
    ).toEqual(["dr-a.jsonl", "dr-b.jsonl"]);
    expect(readFileSync(join(folder, "dr-a.jsonl"), "utf8").trim().split("\n")).toHaveLength(3);
    appendFileSync(join(folder, "dr-a.jsonl"), '{"v":1,"half'); // as a kill leaves it
    expect((await send("dr-a", second!.target, second!.text_sha256)).status).toBe(200);
    expect((await queue("dr-a")).slice(0, 2).map(({ done }) => done)).toEqual([true, true]);
  });

  test("names that are no file names, and texts that changed, are refused", async () => {
    const [first] = await queue("dr-a");
    for (const by of ["../x", "a/b", "A b", ""])
      expect([by, (await send(by, first!.target, first!.text_sha256)).status]).toEqual([by, 400]);
    expect((await json(`/api/runs/${id}/queue/..%2Fx`)).status).toBe(404);
    expect((await send("dr-a", first!.target, "0".repeat(64))).status).toBe(409);
    expect((await send("dr-a", "nothing", first!.text_sha256)).status).toBe(404);
  });

  test("calibration and exports", async () => {
    const { body } = await json(`/api/runs/${id}/calibration`);
    expect((body["annotators"] as never as { by: string }[]).map(({ by }) => by)).toEqual(["dr-a", "dr-b"]);
    expect(body["between"][0]).toMatchObject({ a: "dr-a", b: "dr-b", n: 1 });
    const calibration = await (await ask(app, `/api/runs/${id}/export/calibration`)).text();
    expect(JSON.parse(calibration.split("\n")[0]!)).toMatchObject({
      verdict: "yes",
      question: expect.any(String),
      subject: expect.any(String),
    });
    expect((await ask(app, `/api/runs/${id}/export/everything`)).status).toBe(404);
    for (const { target, text_sha256, text } of await queue("dr-c")) {
      const answer = text.includes("<answer>left") ? "right" : "wrong";
      await send("dr-c", target, text_sha256, { mark: { ...mark, answer } });
    }
    await send("dr-b", (await queue("dr-b"))[0]!.target, (await queue("dr-b"))[0]!.text_sha256, { withdrawn: true });
    const file = join(root, "pairs.jsonl");
    const lines = (await (await ask(app, `/api/runs/${id}/export/pairs`)).text()).split("\n");
    writeFileSync(file, lines.filter((line) => !line.includes("link.png")).join("\n")); // that image is gone
    const pairs = await loadPairs(file);
    expect(pairs.length).toBeGreaterThan(3);
    expect(
      pairs.every(({ chosen, rejected }) => chosen.includes("<answer>left") && !rejected.includes("<answer>left")),
    ).toBe(true);
    expect((await json(`/api/runs/${id}/calibration`)).body["changed"]).toBe(0);
    appendFileSync(join(root, "good/rollouts.jsonl"), jsonl([group(1, 0, { text: "another text" })]));
    expect((await json(`/api/runs/${id}/calibration`)).body["changed"]).toBeGreaterThan(0);
  });
});
