/** SkyRL 0.4.0 in one process for tests: its environment without torch, a tiny random Qwen3, and the server itself. */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { normal, randomKey } from "../../src/core/random.ts";
import { engines } from "../../src/engine/index.ts";
import { writeSafetensors } from "../../src/io/safetensors.ts";
import { openProcessor } from "../../src/models/index.ts";
import { root } from "../checkout.ts";
import type { Contender } from "../conformance/engines/suite.ts";
import { freePort } from "../free-port.ts";
import type { Python, PythonNeeds } from "./python.ts";

/** What its server on JAX imports; torch and peft are replaced by a few lines (`shadows`). */
export const SKYRL: PythonNeeds = {
  name: "skyrl",
  version: "3.12",
  requirements: [
    ...["jax==0.12.0.1", "jaxlib==0.12.0.1", "flax==0.12.12", "optax==0.2.8", "transformers==5.16.1"],
    ...["tokenizers==0.23.3", "safetensors==0.8.0", "fastapi==0.165.0", "uvicorn==0.54.0", "sqlmodel==0.0.50"],
    ...["sqlalchemy[asyncio]==2.1.9", "aiosqlite==0.22.1", "cloudpathlib==0.26.0", "psutil==7.2.2"],
    ...["zstandard==0.25.0", "httpx==0.28.1", "rich==15.0.0", "protobuf==7.36.2", "numpy==2.5.5", "pillow==13.0.0"],
    ...["typer==0.29.2", "xxhash==4.1.0", "aiohttp==3.14.5", "orjson==3.13.0"],
  ],
  withoutDependencies: ["skyrl==0.4.0", "tinker==0.25.0"],
};

/** Modules that SkyRL imports for types and for one call, in place of gigabytes. */
const shadows: Readonly<Record<string, string>> = {
  "torch/__init__.py": "class Tensor: pass\n",
  "peft/__init__.py": `import json, os

class LoraConfig:
    def __init__(self, **options):
        self.options = options

    def save_pretrained(self, folder):
        with open(os.path.join(folder, "adapter_config.json"), "w") as file:
            json.dump({"peft_type": "LORA", **self.options}, file, default=str)
`,
  // The SDK's package without its imports: the server needs the messages alone.
  "tinker/__init__.py": `import os, sys

__path__ = [os.path.join(folder, "tinker") for folder in sys.path if os.path.isfile(os.path.join(folder, "tinker/proto/tinker_public_pb2.py"))]
`,
};

/** The API starts its engine by \`uv run\`; here by the same Python. */
const launcher = `import argparse, sys
import uvicorn
import skyrl.tinker.api as api
from skyrl.tinker.config import EngineConfig, add_model, config_to_argv

api._build_uv_run_cmd_engine = lambda parent, config: [sys.executable, "-m", "skyrl.tinker.engine", *config_to_argv(config)]
parser = argparse.ArgumentParser()
add_model(parser, EngineConfig)
parser.add_argument("--port", type=int)
asked = parser.parse_args()
api.app.state.engine_config = EngineConfig.model_validate({k: v for k, v in vars(asked).items() if k in EngineConfig.model_fields})
uvicorn.run(api.app, host="127.0.0.1", port=asked.port)
`;

/** A Qwen3 of 160,000 random weights with viva-tiny's tokenizer; returns its folder. */
export function writeQwen3(folder: string): string {
  mkdirSync(folder, { recursive: true });
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
    cpSync(fileURLToPath(new URL(`../../assets/viva-tiny-instruct/${file}`, import.meta.url)), join(folder, file));
  }
  const size = { vocabulary: 2048, width: 64, inner: 128, layers: 2, heads: 4, groups: 2, head: 16 };
  const config = {
    architectures: ["Qwen3ForCausalLM"],
    model_type: "qwen3",
    vocab_size: size.vocabulary,
    hidden_size: size.width,
    intermediate_size: size.inner,
    num_hidden_layers: size.layers,
    num_attention_heads: size.heads,
    num_key_value_heads: size.groups,
    head_dim: size.head,
    max_position_embeddings: 1024,
    rms_norm_eps: 1e-6,
    rope_theta: 10000,
    rope_parameters: { rope_theta: 10000, rope_type: "default" },
    hidden_act: "silu",
    attention_bias: false,
    tie_word_embeddings: true,
    eos_token_id: 2042,
    pad_token_id: 2040,
    use_sliding_window: false,
    dtype: "float32",
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config, null, 2));
  const shapes: Record<string, readonly number[]> = {
    "model.embed_tokens.weight": [size.vocabulary, size.width],
    "model.norm.weight": [size.width],
  };
  for (let layer = 0; layer < size.layers; layer++) {
    const attention = {
      q_proj: [size.heads * size.head, size.width],
      k_proj: [size.groups * size.head, size.width],
      v_proj: [size.groups * size.head, size.width],
      o_proj: [size.width, size.heads * size.head],
      q_norm: [size.head],
      k_norm: [size.head],
    };
    const mlp = {
      gate_proj: [size.inner, size.width],
      up_proj: [size.inner, size.width],
      down_proj: [size.width, size.inner],
    };
    const prefix = `model.layers.${layer}`;
    shapes[`${prefix}.input_layernorm.weight`] = [size.width];
    shapes[`${prefix}.post_attention_layernorm.weight`] = [size.width];
    for (const [name, shape] of Object.entries(attention)) shapes[`${prefix}.self_attn.${name}.weight`] = shape;
    for (const [name, shape] of Object.entries(mlp)) shapes[`${prefix}.mlp.${name}.weight`] = shape;
  }
  const tensors = Object.entries(shapes).map(([name, shape]) => {
    const key = randomKey(5, name);
    const length = shape.reduce((a, b) => a * b, 1);
    const value = (i: number) => (shape.length === 1 ? 1 : 0.15 * normal(key, i));
    return { name, shape, data: Float32Array.from({ length }, (_, i) => value(i)) };
  });
  writeSafetensors(join(folder, "model.safetensors"), tensors, "F32");
  return folder;
}

/** What the suite of all engines is told of viva's client on such a server, and what the server does otherwise. */
export async function onSkyrl(url: () => string): Promise<Contender> {
  const local = `${root}/assets/viva-tiny-instruct`; // its tokenizer; the weights are the server's
  const processor = await openProcessor(local);
  return {
    open: () =>
      engines.tinker.open(
        {
          ...{ modelFolder: local, initialise: "pretrained", seed: 3, freeze: [], threads: 1 },
          ...{ microBatchTokens: 4096, rows: 16, lora: { r: 8, lora_alpha: 32, target_modules: "all-linear" } },
          server: { url: url(), model: null, apiKeyEnv: null },
        },
        processor,
      ),
    prompt: { text: "", tokenIds: processor.encodeCompletion("The lung is").slice(0, -1), images: [] },
    tokens: Int32Array.of(31, 32, 33, 34, 35, 36),
    images: null,
    rate: 0.01,
    tolerance: { sampler: 1e-3, load: 1e-4 },
    deviations: {
      "a black and a white image have other log-probs, and the sampler sees them": "JAX leaves images out",
      "an image with a wrong number of tokens is refused": "JAX leaves images out",
    },
  };
}

export interface SkyrlServer {
  readonly url: string;
  /** Ends the process and its engine at once. */
  kill(): Promise<void>;
  /** Starts it again on the same port, with what it had saved. */
  start(): Promise<void>;
}

/**
 * Starts it in `folder`, which keeps its database and checkpoints, and waits until its engine is ready. `more` are settings of
 * its backend, `env` variables of its own.
 */
export async function startSkyrl(
  python: Python,
  model: string,
  folder: string,
  { more = {}, env = {} }: { readonly more?: object; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<SkyrlServer> {
  mkdirSync(folder, { recursive: true });
  for (const [file, content] of Object.entries({ ...shadows, "launch.py": launcher })) {
    const path = join(folder, "python", file);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, content);
  }
  const port = await freePort();
  const log = join(folder, "server.log");
  let child: ChildProcess | null = null;
  const start = async () => {
    const backend = {
      max_lora_adapters: 4,
      max_lora_rank: 8,
      sample_max_num_sequences: 16,
      train_micro_batch_size: 16,
      ...more,
    };
    writeFileSync(log, "");
    const output = openSync(log, "a");
    child = spawn(
      python.python,
      [
        ...[join(folder, "python/launch.py"), "--port", String(port), "--base-model", model],
        ...["--backend", "jax", "--backend-config", JSON.stringify(backend)],
        ...["--checkpoints-base", join(folder, "checkpoints")],
        ...["--database-url", `sqlite:///${join(folder, "server.db")}`, "--session-timeout-sec", "60"],
      ],
      {
        detached: true, // a group of its own: its engine is another process
        stdio: ["ignore", output, output],
        env: {
          ...process.env,
          ...env,
          PYTHONPATH: join(folder, "python"),
          PYTHONUNBUFFERED: "1",
          JAX_PLATFORMS: "cpu",
          HF_HUB_OFFLINE: "1",
          JAX_COMPILATION_CACHE_DIR: join(tmpdir(), "viva-jax-cache"),
          JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS: "0",
        },
      },
    );
    for (;;) {
      const said = existsSync(log) ? readFileSync(log, "utf8") : "";
      if (said.includes("Starting background engine") && (await isUp(port))) return;
      if (child.exitCode !== null) throw new Error(`SkyRL ended:\n${said.slice(-3000)}`);
      await delay(200);
    }
  };
  const kill = async () => {
    const ended = new Promise((resolve) => child!.once("exit", resolve));
    process.kill(-child!.pid!, "SIGKILL");
    await ended;
  };
  await start();
  return { url: `http://127.0.0.1:${port}`, start, kill };
}

async function isUp(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/api/v1/healthz`)).ok;
  } catch {
    return false;
  }
}
