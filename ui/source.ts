/** Where pages get their data: the server's typed routes, or the files of a static bundle in their place. */
import { hc } from "hono/client";
import type { UiApp } from "../src/ui/app.ts";
import { bundleName } from "../src/ui/bundle-name.ts";

/** A bundle's index.html says so, since it has no server to ask. */
export const isBundle = document.documentElement.dataset["bundle"] !== undefined;

const base = isBundle ? "http://bundle" : location.origin;

/** The routes, typed by the server's own. */
export const api = hc<UiApp>(base, { fetch: isBundle ? bundled : fetch, headers: { "x-viva": "1" } }).api;

/** An answer that is no success, in a sentence. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface Answered<T> {
  readonly ok: boolean;
  readonly status: number;
  json(): Promise<T>;
}

/** The JSON of an answer; throws NoAnswer. */
export async function read<T>(asked: Promise<Answered<T>>): Promise<Exclude<T, { readonly error: string }>> {
  const answer = await asked.catch(() => {
    throw new NoAnswer(0, "the server does not answer: is viva ui still running?");
  });
  if (answer.ok) return (await answer.json()) as Exclude<T, { readonly error: string }>;
  const body = (await answer.json().catch(() => null)) as { readonly error?: string } | null;
  throw new NoAnswer(answer.status, body?.error ?? `the server answered ${answer.status}`);
}

/** Pixel values with what the server says of them. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly bits: 8 | 16;
  readonly patch?: number;
  readonly token?: number;
  readonly tokens?: number;
  readonly data: Uint8Array | Uint16Array;
}

/** The image's values, or the model's view of it. */
export async function readPixels(run: string, sha256: string, view: "stored" | "model"): Promise<Pixels> {
  const path = `/api/runs/${run}/images/${sha256}${view === "model" ? "/model" : ""}`;
  const answer = await (isBundle ? bundled(base + path) : fetch(path));
  if (!answer.ok) {
    const body = (await answer.json().catch(() => null)) as { readonly error?: string } | null;
    throw new NoAnswer(answer.status, body?.error ?? "the image cannot be shown");
  }
  const about = JSON.parse(answer.headers.get("x-image") ?? "{}") as Omit<Pixels, "data">;
  const bytes = await answer.arrayBuffer();
  return { ...about, data: about.bits === 16 ? new Uint16Array(bytes) : new Uint8Array(bytes) };
}

/** Address of a thumbnail, for an img element; a data: URL in a bundle. */
export async function thumbnailUrl(run: string, sha256: string): Promise<string | null> {
  const path = `/api/runs/${run}/images/${sha256}/thumbnail`;
  if (!isBundle) return path;
  const file = await bundleFile(path);
  return file === null ? null : `data:${file.type};base64,${file.base64}`;
}

interface BundleFile {
  readonly type: string;
  readonly text?: string;
  readonly base64?: string;
  readonly image?: string;
}

declare global {
  interface Window {
    /** Called by the scripts that a bundle's data are. */
    vivaBundle?: (path: string, file: BundleFile) => void;
    trustedTypes?: {
      createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
    };
  }
}

const loaded = new Map<string, BundleFile>();
/** Scripts of the bundle's own data folder and nothing else. */
const policy = isBundle
  ? window.trustedTypes?.createPolicy("viva-bundle", {
      createScriptURL: (url) => {
        if (/^\.\/data\/[A-Za-z0-9_.-]+\.js$/.test(url)) return url;
        throw new TypeError("not a file of the bundle");
      },
    })
  : undefined;

/** Pages that open from a disk may not fetch; scripts may be loaded. */
function bundleFile(path: string): Promise<BundleFile | null> {
  const known = loaded.get(path);
  if (known !== undefined) return Promise.resolve(known);
  window.vivaBundle ??= (name, file) => void loaded.set(name, file);
  return new Promise((resolve) => {
    const script = document.createElement("script");
    const url = `./data/${bundleName(path)}`;
    script.src = policy?.createScriptURL(url) ?? url;
    const end = () => {
      script.remove();
      resolve(loaded.get(path) ?? null);
    };
    script.onload = end;
    script.onerror = end;
    document.head.append(script);
  });
}

async function bundled(input: RequestInfo | URL): Promise<Response> {
  const { pathname } = new URL(input instanceof Request ? input.url : input);
  const file = await bundleFile(decodeURIComponent(pathname));
  if (file === null) {
    return Response.json({ error: "this is not part of the bundle: open the run with viva ui" }, { status: 404 });
  }
  const content = file.text ?? Uint8Array.from(atob(file.base64 ?? ""), (letter) => letter.charCodeAt(0));
  return new Response(content, {
    headers: { "content-type": file.type, ...(file.image === undefined ? {} : { "x-image": file.image }) },
  });
}
