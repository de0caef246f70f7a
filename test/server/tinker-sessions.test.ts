/** The Tinker server's sessions, lists and refusals, over its wire. */
import { expect, test } from "vitest";
import type { Datum } from "../../src/tinker/index.ts";
import { until } from "./served.ts";
import { serveForTests, serveTinkerEngine } from "./tinker-served.ts";

const { engine, on } = await serveForTests();

// biome-ignore lint/suspicious/noExplicitAny: JSON
const get = async (path: string): Promise<any> => (await fetch(on.url(path))).json();
const ask = async (method: string, path: string, body?: object) => {
  const headers = { "content-type": "application/json" };
  const response = await fetch(on.url(path), { method, headers, ...(body && { body: JSON.stringify(body) }) });
  return { status: response.status, detail: ((await response.json().catch(() => ({}))) as { detail?: string }).detail };
};

/** One token after three, with weights of a length of its own. */
function datum(weights = [0, 0, 1]): Datum {
  return {
    chunks: [{ type: "tokens", tokens: Int32Array.from([10, 20, 30]) }],
    inputs: {
      target_tokens: { shape: [3], data: Int32Array.from([0, 0, 5]) },
      weights: { shape: [weights.length], data: Float32Array.from(weights) },
    },
  };
}

test("a request that cannot be read has that as its result, and does not hold up the next", async () => {
  const model = await on.model(await on.session());
  const bad = await on.submit("optim_step", { model_id: model, seq_id: 1, adam_params: { learning_rate: -1 } });
  await expect(on.result(bad)).rejects.toThrow("user: adam_params.learning_rate: expected a number of at least 0");
  const odd = { ...datum(), inputs: { ...datum().inputs, weights: { shape: [7], data: new Float32Array(3) } } };
  await expect(on.batch({ modelId: model, seqId: 2, data: [odd] })).rejects.toThrow(
    "user: data[0].loss_fn_inputs.weights: shape [7] holds 7 values",
  );
  const wide = { ...datum(), inputs: { ...datum().inputs, target_tokens: { shape: [3, 2], data: new Int32Array(6) } } };
  await expect(on.batch({ modelId: model, seqId: 3, data: [wide] })).rejects.toThrow(
    "data[0].loss_fn_inputs.weights has shape [3], target_tokens 2 per token",
  );
  const { metrics } = await on.batch({ modelId: model, seqId: 4, data: [datum()] });
  expect(metrics["loss:sum"]).toBeGreaterThan(0);
  const long = { ...datum(), chunks: [{ type: "tokens" as const, tokens: new Int32Array(9000).fill(10) }] };
  await expect(on.batch({ modelId: model, seqId: 5, data: [long] })).rejects.toThrow(
    "data[0].model_input: it has 9000 tokens, the model's context has",
  );
});

test("a session says what it has, and is over when its client finishes it", async () => {
  const about = { user_metadata: { ward: "north" }, display_name: "the same" };
  const { session_id } = (await on.send("create_session", { sdk_version: "test", ...about })).body;
  const twin = (await on.send("create_session", about)).body.session_id;
  const model = await on.model(session_id);
  await on.send("create_sampling_session", { session_id, sampling_session_seq_id: 0, base_model: "tiny" });
  expect(await get(`sessions/${session_id}`)).toEqual({
    ...{ training_run_ids: [model], sampler_ids: [`${session_id}:sample:0`], ...about },
  });
  expect((await get("sessions?limit=1")).sessions).toEqual([twin]); // the newest
  expect((await get("sessions?limit=1&offset=1")).sessions).toEqual([session_id]);
  const finished = await ask("POST", `sessions/${session_id}/finish`, { reason: { type: "success" } });
  expect(finished.status).toBe(204);
  expect(await ask("GET", `sessions/${session_id}`)).toMatchObject({ status: 404 });
  await until(() => on.server.load.models === 1); // that of the test before
  expect(await ask("POST", `sessions/${twin}x/finish`, {})).toMatchObject({ status: 404 });
});

test("copies of a sampler's client are told apart, also those that count from beyond JSON's whole numbers", async () => {
  const session_id = await on.session();
  const sampling = { session_id, sampling_session_seq_id: 0, base_model: "tiny" };
  const { sampling_session_id } = (await on.send("create_sampling_session", sampling)).body;
  const join = async () => (await on.send("join_sampling_session", { sampling_session_id })).body.client_counter;
  expect([await join(), await join()]).toEqual([1, 2]);
  const prompt = { chunks: [{ type: "encoded_text", tokens: [10, 20] }] };
  const ask = (seq_id: number) =>
    on.submit("asample", { sampling_session_id, seq_id, prompt, sampling_params: { max_tokens: 1 } });
  expect(await ask(2e9)).toBe(await ask(2e9));
  expect(await ask(7e17)).not.toBe(await ask(7e17 + 1)); // one number in JSON
});

test("checkpoints are listed newest first in pages, and their ends can be moved", async () => {
  const model = await on.model(await on.session());
  for (const [i, path] of ["a", "b", "c"].entries()) {
    await on.result(await on.submit("save_weights", { model_id: model, seq_id: i + 1, path }));
  }
  const page = await get("checkpoints?limit=2&offset=1");
  expect(page.cursor).toEqual({ offset: 1, limit: 2, total_count: 3 });
  expect(page.checkpoints.map((one: { checkpoint_id: string }) => one.checkpoint_id)).toEqual([
    "weights/b",
    "weights/a",
  ]);
  expect((await get("training_runs?limit=1")).training_runs).toMatchObject([{ training_run_id: model }]);
  expect(await ask("GET", "checkpoints?limit=some")).toMatchObject({
    ...{ status: 422, detail: expect.stringContaining("limit") },
  });
  const end = (ttl_seconds: unknown) => ask("PUT", `training_runs/${model}/checkpoints/weights/b/ttl`, { ttl_seconds });
  const ends = async () => {
    const { checkpoints } = await get(`training_runs/${model}/checkpoints`);
    return checkpoints.map((one: { expires_at: string | null }) => one.expires_at);
  };
  expect((await end(3600)).status).toBe(204);
  expect(Date.parse((await ends())[1]) - Date.now()).toBeGreaterThan(3500e3);
  expect((await end(null)).status).toBe(204);
  expect(await ends()).toEqual([null, null, null]);
  expect((await end(0)).status).toBe(400);
});

test("a training run is known from its making on, with what its client said of it", async () => {
  const lora_config = { rank: 4 };
  const made = { session_id: await on.session(), model_seq_id: 0, base_model: "tiny", lora_config };
  const { model_id } = await on.result(await on.submit("create_model", { ...made, user_metadata: { ward: "north" } }));
  const run = { training_run_id: model_id, lora_rank: 4, base_model: "tiny", user_metadata: { ward: "north" } };
  expect(await get(`training_runs/${model_id}`)).toMatchObject({ ...run, last_checkpoint: null });
  await on.result(await on.submit("save_weights_for_sampler", { model_id, seq_id: 1, path: "w" }));
  expect(await get(`training_runs/${model_id}`)).toMatchObject({
    ...{ ...run, last_checkpoint: null, last_sampler_checkpoint: { checkpoint_id: "sampler_weights/w" } },
  });
  await on.result(await on.submit("unload_model", { model_id, seq_id: 2 }));
  expect((await get("training_runs?limit=1")).training_runs).toMatchObject([run]); // its checkpoint remembers
  expect(await ask("GET", "training_runs/none")).toMatchObject({ status: 404 });
});

test("what is downloaded needs no key for a while, at its own address alone", async () => {
  const apiKey = "tml-secret";
  const closed = await serveTinkerEngine(engine, { apiKey });
  const headers = { "x-api-key": apiKey, "content-type": "application/json" };
  // biome-ignore lint/suspicious/noExplicitAny: JSON
  const send = async (path: string, body: object): Promise<any> => (await closed.send(path, body, headers)).body;
  const { session_id } = await send("create_session", {});
  const made = await send("create_model", {
    session_id,
    model_seq_id: 0,
    base_model: "tiny",
    lora_config: { rank: 4 },
  });
  const of = { model_id: made.model_id, seq_id: 1, path: "whole" };
  const { path } = await send("retrieve_future", await send("save_weights_external", of));
  expect(path).toBe(`tinker://${made.model_id}/external_weights/whole`);
  const address = closed.url(`training_runs/${made.model_id}/checkpoints/external_weights/whole`);
  const read = async (url: string) => (await fetch(url, { headers })).json() as Promise<Record<string, never>>;
  const { urls } = await read(`${address}/external_weights_urls`);
  expect(Object.keys(urls!).sort()).toEqual(
    expect.arrayContaining(["adapter_config.json", "adapter_model.safetensors"]),
  );
  expect(Object.keys(urls!)).not.toContain("optimizer.safetensors");
  expect(await (await fetch(urls!["adapter_config.json"]!)).json()).toMatchObject({ peft_type: "LORA", r: 4 });
  const { url: archive } = (await read(`${address}/archive`)) as unknown as { url: string };
  expect((await fetch(archive)).status).toBe(200);
  const status = async (url: string, method = "GET") => (await fetch(url, { method })).status;
  expect(await status(archive.replace(/until=\d/, "until=9"))).toBe(401);
  expect(await status(archive.replace("archive.tar", "files/checkpoint.json"))).toBe(401);
  expect(await status(archive.replace("/archive.tar", ""), "DELETE")).toBe(401);
  expect((await fetch(`${address}/files/..%2Fcheckpoint.json`, { headers })).status).toBe(404);
  await closed.close();
});

test("what hosted Tinker has and this server has not is refused by name", async () => {
  const refused = await ask("POST", "training_runs/m/checkpoints/weights/a/publish");
  expect(refused).toEqual({ status: 400, detail: expect.stringContaining("does not support publishing") });
  expect(await ask("POST", "copy_weights", {})).toMatchObject({ status: 400 });
});
