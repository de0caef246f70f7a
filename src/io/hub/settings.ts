/** Where the Hub is, where its cache lies and who asks: the environment variables of Python's huggingface_hub, with its defaults. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { UserError } from "../../core/errors.ts";

export interface HubSettings {
  /** Without a slash at the end. */
  readonly endpoint: string;
  /** The folder that holds models--org--name. */
  readonly cache: string;
  /** Sent to the endpoint's own origin only; appears in no message. */
  readonly token: string | null;
  /** No request is made. */
  readonly offline: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads HF_ENDPOINT, HF_HUB_CACHE, HF_HOME, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE and their older spellings. */
export function hubSettings(env: Environment): HubSettings {
  return {
    endpoint: readEndpoint(env["HF_ENDPOINT"] || "https://huggingface.co"),
    cache: hubCache(env),
    token: readToken(env, hubHome(env)),
    offline: isTrue(env["HF_HUB_OFFLINE"] || env["TRANSFORMERS_OFFLINE"]),
  };
}

/** The folder where Python's tools and viva keep what they download from the Hub. */
export function hubCache(env: Environment): string {
  const cache = env["HF_HUB_CACHE"] || env["HUGGINGFACE_HUB_CACHE"] || join(hubHome(env), "hub");
  return resolve(expand(cache, env));
}

function hubHome(env: Environment): string {
  return expand(env["HF_HOME"] || join(env["XDG_CACHE_HOME"] || "~/.cache", "huggingface"), env);
}

function readEndpoint(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UserError("HF_ENDPOINT is no address: it must look like https://huggingface.co");
  }
  if (url.username !== "" || url.password !== "" || !/^https?:$/.test(url.protocol)) {
    throw new UserError("HF_ENDPOINT must be an http or https address without user name and password");
  }
  return text.replace(/\/+$/, "");
}

function readToken(env: Environment, home: string): string | null {
  const given = (env["HF_TOKEN"] || env["HUGGING_FACE_HUB_TOKEN"] || "").trim();
  const source = given === "" ? expand(env["HF_TOKEN_PATH"] || join(home, "token"), env) : "HF_TOKEN";
  if (given === "" && isTrue(env["HF_HUB_DISABLE_IMPLICIT_TOKEN"])) return null;
  const token = given === "" ? readTokenFile(source) : given;
  if (token === "") return null;
  // A character that no header may hold would be quoted, with the token, in the error of whoever sends it.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new UserError(`${source} holds no token: it has spaces or other characters that a token cannot have`);
  return token;
}

function readTokenFile(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

/** "~" at the start and $NAME or ${NAME} anywhere, as a shell would. */
function expand(path: string, env: Environment): string {
  const named = path.replace(/\$(?:\{(\w+)\}|(\w+))/g, (all, braced, bare) => env[braced ?? bare] ?? all);
  return named.replace(/^~(?=$|[\\/])/, () => env["HOME"] || homedir());
}

function isTrue(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? "");
}
