/** The Tinker server's semantics, over its wire: order, repetition, sums, groups, limits, ends. */
import { describe, expect, test } from "vitest";
import type { Datum, WireTensor } from "../../src/tinker/index.ts";
import { film, openEngine, until } from "./served.ts";
import { serveForTests, serveTinkerEngine } from "./tinker-served.ts";

const { engine, on } = await serveForTests();

const floats = (values: number[]): WireTensor => ({ shape: [values.length], data: Float32Array.from(values) });
const ids = (values: number[]): WireTensor => ({ shape: [values.length], data: Int32Array.from(values) });
const tokens = (values: number[]) => ({ type: "tokens", tokens: Int32Array.from(values) }) as const;

const PROMPT = [10, 20, 30, 40, 50];

/** A prompt and a completion, with arrays over the completion and zeros before it. */
function datum(completion: number[], arrays: Record<string, number[]>, prompt = PROMPT): Datum {
  const zeros = prompt.slice(1).map(() => 0);
  const own = Object.entries(arrays).map(([name, values]) => [name, floats([...zeros, ...values])] as const);
  return {
    chunks: [tokens([...prompt, ...completion.slice(0, -1)])],
    inputs: { target_tokens: ids([...zeros, ...completion]), ...Object.fromEntries(own) },
  };
}

const image = async (grey: number) => Buffer.from((await film(grey)).split(",")[1]!, "base64");
const optim = (model_id: string, seq_id: number, learning_rate = 0) => {
  const adam_params = { learning_rate, beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0, grad_clip_norm: 0 };
  return { model_id, seq_id, adam_params };
};
const gradNorm = async (model: string, seq: number) =>
  (await on.result(await on.submit("optim_step", optim(model, seq)))).metrics["grad_norm:mean"];

test("a snapshot stays what it was while the model is trained, in memory and read again", async () => {
  const session = await on.session();
  const model = await on.model(session, 0, { seed: 8 });
  let seqId = 1;
  const takeAndTrain = async (sampling_session_seq_id: number): Promise<string> => {
    const body = { model_id: model, seq_id: seqId++, sampling_session_seq_id };
    const { sampling_session_id } = await on.result(await on.submit("save_weights_for_sampler", body));
    await on.batch({ modelId: model, seqId: seqId++, data: [datum([5, 6, 7], { weights: [1, 1, 1] })] });
    await on.result(await on.submit("optim_step", optim(model, seqId++, 0.01)));
    return sampling_session_id;
  };
  const drawn = async (sampling_session_id: string) => {
    const prompt = { chunks: [{ type: "encoded_text", tokens: PROMPT }] };
    const sampling_params = { max_tokens: 6, temperature: 0, stop: [] };
    const asked = { sampling_session_id, num_samples: 1, prompt, sampling_params, prompt_logprobs: true };
    const { sequences, promptLogProbs } = await on.sample(asked);
    return { tokens: sequences[0]!.tokens, logProbs: sequences[0]!.logProbs!, promptLogProbs: promptLogProbs! };
  };
  const first = await takeAndTrain(0);
  const before = await drawn(first);
  const later: string[] = [];
  for (let i = 1; i < 6; i++) later.push(await takeAndTrain(i)); // the first makes room for these
  const again = await drawn(first);
  expect(again.tokens).toEqual(before.tokens);
  for (const key of ["logProbs", "promptLogProbs"] as const) {
    for (const [i, value] of before[key].entries()) {
      if (!Number.isNaN(value)) expect(again[key][i]).toBeCloseTo(value, 5);
    }
  }
  const newest = await drawn(later.at(-1)!);
  expect(Math.abs(newest.promptLogProbs[1]! - before.promptLogProbs[1]!)).toBeGreaterThan(1e-3);
});

describe("forward_backward", () => {
  const group = [
    datum([5, 6, 7], { logprobs: [-5, -6, -4], advantages: [1, 1, 1] }),
    datum([5, 9, 8], { logprobs: [-5, -7, -6], advantages: [-2, -2, -2] }),
    datum([11], { logprobs: [-6], advantages: [0.5] }),
  ];

  test("datums of a group give what each gives alone, and gradients of their sum", async () => {
    const session = await on.session();
    const model = await on.model(session);
    const together = await on.batch({ modelId: model, seqId: 1, data: group, lossFn: "ppo" });
    const norm = await gradNorm(model, 2);
    let seqId = 3;
    let loss = 0;
    for (const [i, one] of group.entries()) {
      const alone = await on.batch({ modelId: model, seqId: seqId++, data: [one], lossFn: "ppo" });
      expect(together.outputs[i]!["logprobs"]).toHaveLength(one.inputs["target_tokens"]!.data.length);
      for (const name of ["logprobs", "elementwise_loss"]) {
        const [a, b] = [together.outputs[i]![name]!, alone.outputs[0]![name]!];
        expect(a.length).toBe(b.length);
        for (const [t, value] of a.entries()) expect(value).toBeCloseTo(b[t]!, 4);
      }
      loss += alone.metrics["loss:sum"]!;
    }
    expect(together.metrics["loss:sum"]).toBeCloseTo(loss, 3);
    expect(await gradNorm(model, seqId)).toBeCloseTo(norm, 2);
    expect(norm).toBeGreaterThan(0.1);
    expect(await gradNorm(model, seqId + 1)).toBe(0); // the step took the gradient with it
  });

  test("several targets of a token are each computed as if alone", async () => {
    const session = await on.session();
    const model = await on.model(session, 0, { seed: 3 });
    const of = (targets: number[], weights: number[], shape: number[]): Datum => ({
      chunks: [tokens([10, 20, 30])],
      inputs: {
        target_tokens: { shape, data: Int32Array.from(targets) },
        weights: { shape, data: Float32Array.from(weights) },
      },
    });
    const both = of([5, 6, 7, 8, 9, 11], [0.25, 0.75, 1, 0, 0.5, 0.5], [3, 2]);
    const apart = [of([5, 7, 9], [0.25, 1, 0.5], [3]), of([6, 8, 11], [0.75, 0, 0.5], [3])];
    const together = await on.batch({ modelId: model, seqId: 1, data: [both, apart[0]!] });
    const norm = await gradNorm(model, 2);
    const alone = await on.batch({ modelId: model, seqId: 3, data: [...apart, apart[0]!] });
    expect(await gradNorm(model, 4)).toBeCloseTo(norm, 3);
    const [first, second] = alone.outputs.map((output) => output["logprobs"]!);
    const expected = [0, 1, 2].flatMap((t) => [first![t]!, second![t]!]);
    expect(together.outputs[0]!["logprobs"]).toHaveLength(6);
    for (const [i, value] of together.outputs[0]!["logprobs"]!.entries()) expect(value).toBeCloseTo(expected[i]!, 4);
    expect(together.outputs[1]!["logprobs"]).toHaveLength(3);
    expect(together.metrics["loss:sum"]).toBeCloseTo(alone.metrics["loss:sum"]!, 3);
  });

  test.each([
    ["cross_entropy", {}],
    ["importance_sampling", {}],
    ["ppo", { clip_low_threshold: 0.9, clip_high_threshold: 1.05 }],
    ["cispo", { clip_low_threshold: 0.9, clip_high_threshold: 1.05 }],
  ] as const)("%s: gradients are those of the losses that are told", async (lossFn, lossConfig) => {
    const session = await on.session();
    const model = await on.model(session, 0, { seed: 5 });
    let seqId = 1;
    // A step away from the base, so that both matrices of the adapters have gradients.
    await on.batch({ modelId: model, seqId: seqId++, data: [datum([3, 4], { weights: [1, 1] })] });
    await on.result(await on.submit("optim_step", optim(model, seqId++, 0.01)));
    const sampled = await on.batch({ modelId: model, seqId: seqId++, data: [datum([5, 6, 7], {})], forwardOnly: true });
    // Ratios of 1.02, 0.8 and 1.3: one inside the bounds of the losses that clip, one on either side.
    const old = [...sampled.outputs[0]!["logprobs"]!.slice(-3)].map((lp, i) => lp - Math.log([1.02, 0.8, 1.3][i]!));
    const arrays = lossFn === "cross_entropy" ? { weights: [1, -0.5, 2] } : { logprobs: old, advantages: [1, -1, 1] };
    const data = [datum([5, 6, 7], arrays)];
    const told = await on.batch({ modelId: model, seqId: seqId++, data, lossFn, lossConfig });
    const norm = await gradNorm(model, seqId++);
    const expected = {
      cross_entropy: [1, -0.5, 2].map((w, i) => -w * sampled.outputs[0]!["logprobs"]!.at(i - 3)!),
      importance_sampling: [-1.02, 0.8, -1.3],
      ppo: [-1.02, 0.9, -1.05],
      cispo: [1.02, -0.9, 1.05].map((r, i) => -r * sampled.outputs[0]!["logprobs"]!.at(i - 3)!),
    }[lossFn];
    const found = told.outputs[0]!["elementwise_loss"]!;
    for (const [i, value] of expected.entries()) expect(found.at(i - 3)).toBeCloseTo(value, 3);
    // d loss = Σ w d logp with known w: cross-entropy with those weights has the same gradient.
    const weights = {
      cross_entropy: [1, -0.5, 2],
      importance_sampling: [1.02, -0.8, 1.3],
      ppo: [1.02, 0, 0],
      cispo: [1.02, -0.9, 1.05],
    }[lossFn];
    await on.batch({ modelId: model, seqId: seqId++, data: [datum([5, 6, 7], { weights })] });
    expect(await gradNorm(model, seqId)).toBeCloseTo(norm, 3);
  });

  test("gspo: every token has its sequence's ratio and the gradient of its own log-prob", async () => {
    const session = await on.session();
    const model = await on.model(session, 0, { seed: 6 });
    await on.batch({ modelId: model, seqId: 1, data: [datum([3, 4], { weights: [1, 1] })] });
    await on.result(await on.submit("optim_step", optim(model, 2, 0.01)));
    const sampled = await on.batch({ modelId: model, seqId: 3, data: [datum([5, 6, 7], {})], forwardOnly: true });
    // Log-ratios of 0.3, 0.1 and one that the mask leaves out: their mean is 0.2.
    const logprobs = [...sampled.outputs[0]!["logprobs"]!.slice(-3)].map((lp, i) => lp - [0.3, 0.1, 5][i]!);
    const data = [datum([5, 6, 7], { logprobs, advantages: [1, -1, 2], sequence_ratio_mask: [1, 1, 0] })];
    const lossConfig = { clip_low_threshold: 0.5, clip_high_threshold: 2 };
    const told = await on.batch({ modelId: model, seqId: 4, data, lossFn: "gspo", lossConfig });
    const norm = await gradNorm(model, 5);
    const ratio = Math.exp(0.2);
    for (const [i, advantage] of [1, -1, 2].entries()) {
      expect(told.outputs[0]!["elementwise_loss"]!.at(i - 3)).toBeCloseTo(-ratio * advantage, 3);
    }
    const weights = [ratio, -ratio, 2 * ratio];
    await on.batch({ modelId: model, seqId: 6, data: [datum([5, 6, 7], { weights })] });
    expect(await gradNorm(model, 7)).toBeCloseTo(norm, 3);
    // The default bounds are narrow: a ratio of 1.22 is clipped, and rewarded tokens have no gradient.
    const clipped = datum([5, 6, 7], { logprobs, advantages: [1, 1, 1], sequence_ratio_mask: [1, 1, 0] });
    await on.batch({ modelId: model, seqId: 8, data: [clipped], lossFn: "gspo" });
    expect(await gradNorm(model, 9)).toBe(0);
    const other = datum([5], { mask: [1] });
    await expect(on.batch({ modelId: model, seqId: 10, data: [other] })).rejects.toThrow("loss_fn_inputs.mask is not");
  });

  test("images: anywhere in the input, their tokens counted, their pixels seen", async () => {
    const session = await on.session();
    const model = await on.model(session);
    const input = async (grey: number, expectedTokens: number | null = 4): Promise<Datum> => {
      const picture = { type: "image", data: await image(grey), format: "png", expectedTokens } as const;
      const chunks = [tokens([10, 11]), picture, tokens([12, 13]), picture, tokens([14])];
      return { chunks, inputs: { target_tokens: ids(new Array(13).fill(7)), weights: floats(new Array(13).fill(1)) } };
    };
    const data = [await input(0), await input(255, null)];
    const { outputs } = await on.batch({ modelId: model, seqId: 1, data });
    expect(outputs.map((one) => one["logprobs"]!.length)).toEqual([13, 13]);
    const [black, white] = outputs.map((one) => one["logprobs"]!);
    for (const t of [0, 1]) expect(black![t]).toBeCloseTo(white![t]!, 5);
    expect(Math.abs(black!.at(-1)! - white!.at(-1)!)).toBeGreaterThan(1e-4);
    expect(await gradNorm(model, 2)).toBeGreaterThan(0.1); // predictions before an image are trained on too
    await expect(on.batch({ modelId: model, seqId: 3, data: [await input(0, 5)] })).rejects.toThrow(
      "user: data[0].model_input[1]: expected_tokens is 5, but this image of 56 x 56 pixels has 4 tokens",
    );
    const [weighted] = [await input(0)];
    weighted.inputs["target_tokens"]!.data[1] = engine.processor.imageTokenId;
    await expect(on.batch({ modelId: model, seqId: 4, data: [weighted] })).rejects.toThrow("marks an image");
    weighted.inputs["weights"]!.data[1] = 0;
    const marked = await on.batch({ modelId: model, seqId: 5, data: [weighted] });
    expect(marked.outputs[0]!["logprobs"]![1]).toBe(0);
    const spelled = { chunks: [tokens([engine.processor.imageTokenId])], inputs: { target_tokens: ids([1]) } };
    await expect(on.batch({ modelId: model, seqId: 6, data: [spelled] })).rejects.toThrow("stands for an image");
  });
});

describe("a model's requests", () => {
  test("run in the order of their numbers, once each", async () => {
    const session = await on.session();
    const model = await on.model(session);
    const [data, later] = [[datum([5, 6], { weights: [1, 1] })], optim(model, 2, 0.01)];
    const step = await on.submit("optim_step", later); // arrives first
    const batch = await on.submitBatch({ modelId: model, seqId: 1, data });
    expect(await on.submitBatch({ modelId: model, seqId: 1, data })).toBe(batch);
    expect(await on.submit("optim_step", later)).toBe(step);
    expect((await on.result(step)).metrics["grad_norm:mean"]).toBeGreaterThan(0.1);
    expect(await gradNorm(model, 3)).toBe(0);
    expect(await on.result(step)).toEqual(await on.result(step));
  });

  test("a made model, a session's sampler and a sample are the same when asked for again", async () => {
    const session = await on.session();
    const body = { session_id: session, model_seq_id: 0, base_model: "tiny", lora_config: { rank: 4 } };
    expect(await on.submit("create_model", body)).toBe(await on.submit("create_model", body));
    const sampling = { session_id: session, sampling_session_seq_id: 0, base_model: "tiny" };
    const { body: made } = await on.send("create_sampling_session", sampling);
    expect((await on.send("create_sampling_session", sampling)).body).toEqual(made);
    const asked = {
      prompt: { chunks: [{ type: "encoded_text", tokens: PROMPT }] },
      sampling_params: { max_tokens: 3, temperature: 1, top_p: 1, top_k: -1, seed: 5 },
      num_samples: 2,
      sampling_session_id: made.sampling_session_id,
      seq_id: 0,
    };
    const [one, two] = [await on.send("asample", asked), await on.send("asample", asked)];
    expect(two.body).toEqual(one.body);
    expect(one.body.sample_sequence_ids).toHaveLength(2);
    const drawn = await on.sample({ ...asked, seq_id: 1, prompt_logprobs: true });
    expect(drawn.promptLogProbs).toHaveLength(5);
    expect([...drawn.promptLogProbs!].map(Number.isNaN)).toEqual([true, false, false, false, false]);
    const last = await on.sample({ ...asked, seq_id: 2, prompt_logprobs: true, prompt_logprobs_last_n: 2 });
    expect([...last.promptLogProbs!].map(Number.isNaN)).toEqual([true, true, true, false, false]);
    // By the seed; what is asked for besides changes the batch, and so rounding.
    expect(last.sequences.map(({ tokens }) => tokens)).toEqual(drawn.sequences.map(({ tokens }) => tokens));
  });
});

describe("limits", () => {
  test("of models and sessions; unloading makes room", async () => {
    const limited = await serveTinkerEngine(engine, { limits: { maxModels: 1, maxSessions: 1 } });
    const session = await limited.session();
    expect((await limited.send("create_session", {})).status).toBe(429);
    const model = await limited.model(session);
    await expect(limited.model(session, 1)).rejects.toThrow("user: there are 1 models in training");
    await limited.result(await limited.submit("unload_model", { model_id: model, seq_id: 1 }));
    await limited.model(session, 2);
    await expect(limited.result(await limited.submit("optim_step", optim(model, 2)))).rejects.toThrow("was unloaded");
    await limited.close();
  });

  test("of pending requests and of a body's size", async () => {
    const limited = await serveTinkerEngine(engine, { limits: { maxPending: 1 } });
    const session = await limited.session();
    const model = await limited.model(session);
    await limited.submit("optim_step", optim(model, 2)); // waits for number 1
    const refused = await limited.send("optim_step", optim(model, 3));
    expect([refused.status, refused.body.detail]).toEqual([429, expect.stringContaining("1 requests are pending")]);
    const large = { session_id: "x".repeat(300_000) };
    expect((await limited.send("session_heartbeat", large)).status).toBe(413);
    expect((await limited.send("session_heartbeat", {})).status).toBe(422);
    expect((await limited.send("forward_backward", {})).status).toBe(415);
    await limited.close();
  });

  test("of silence: a session ends with its models, others stay", async () => {
    const limited = await serveTinkerEngine(engine, { limits: { sessionTimeoutSeconds: 2 } });
    const [silent, alive] = [await limited.session(), await limited.session()];
    const [gone, kept] = [await limited.model(silent), await limited.model(alive)];
    const beat = setInterval(() => void limited.send("session_heartbeat", { session_id: alive }), 300);
    await until(() => limited.server.load.sessions === 1);
    clearInterval(beat);
    await until(() => limited.server.load.models === 1);
    expect((await limited.send("session_heartbeat", { session_id: silent })).status).toBe(404);
    await expect(limited.result(await limited.submit("optim_step", optim(gone, 1)))).rejects.toThrow(
      "session has ended",
    );
    await limited.result(await limited.submit("optim_step", optim(kept, 1)));
    await limited.close();
  });
});

describe("checkpoints", () => {
  test("a second server over the same folder has them; names do not leave it", async () => {
    const session = await on.session();
    const model = await on.model(session, 0, { train_attn: false });
    const saved = await on.result(await on.submit("save_weights", { model_id: model, seq_id: 1, path: "a.1" }));
    expect(saved.path).toBe(`tinker://${model}/weights/a.1`);
    const info = await on.send("weights_info", { tinker_path: saved.path });
    expect(info.body).toMatchObject({ base_model: "tiny", lora_rank: 4, train_attn: false, train_mlp: true });
    for (const path of ["../b", "a/b", "", ".hidden"]) {
      const next = await on.model(session, 10 + path.length);
      await expect(on.result(await on.submit("save_weights", { model_id: next, path }))).rejects.toThrow("letters");
      await on.result(await on.submit("unload_model", { model_id: next }));
    }
    for (const path of ["tinker://../weights/a.1", "tinker://..:../weights/a.1", "/etc/passwd", `${saved.path}/..`]) {
      expect((await on.send("weights_info", { tinker_path: path })).body.detail, path).toContain(
        "there is no checkpoint",
      );
    }
    const list = await fetch(on.url(`training_runs/${model}/checkpoints`));
    expect(((await list.json()) as { checkpoints: unknown[] }).checkpoints).toMatchObject([
      { checkpoint_id: "weights/a.1", checkpoint_type: "training", tinker_path: saved.path, expires_at: null },
    ]);
    expect((await fetch(on.url(`training_runs/${model}/checkpoints/weights/a.1`), { method: "DELETE" })).status).toBe(
      204,
    );
    expect((await on.send("weights_info", { tinker_path: saved.path })).status).toBe(400);
    await on.result(await on.submit("unload_model", { model_id: model }));
  });
});

test("an engine that is gone is told of as fatal; requests fail with the server's category", async () => {
  const own = await openEngine();
  const served = await serveTinkerEngine(own);
  const model = await served.model(await served.session());
  await own.engine.close();
  await expect(served.result(await served.submit("optim_step", optim(model, 1)))).rejects.toThrow("server: ");
  await until(() => served.failures.length > 0);
  expect(served.failures).toContainEqual({ fatal: true });
  await served.close();
});

test("a key, where one is set, in either header; else foreign names of the host are refused", async () => {
  const closed = await serveTinkerEngine(engine, { apiKey: "tml-secret" });
  expect((await closed.send("create_session", {})).status).toBe(401);
  expect((await closed.send("create_session", {}, { "x-api-key": "tml-wrong" })).status).toBe(401);
  for (const headers of [{ "x-api-key": "tml-secret" }, { authorization: "Bearer tml-secret" }]) {
    expect((await closed.send("create_session", {}, headers)).status).toBe(200);
  }
  expect((await fetch(closed.url("healthz"))).status).toBe(200);
  await closed.close();
  expect(on.failures).toEqual([]);
});
