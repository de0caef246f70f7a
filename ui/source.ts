/** Where pages get their data: the routes of the server (src/ui/app.ts), or the files of a static bundle in their place. */
import { bundleName } from "../src/ui/bundle-name.ts";

/** A bundle's index.html says so, since it has no server to ask. */
export const isBundle = document.documentElement.dataset["bundle"] !== undefined;

/** The parts of a route below /api/. */
export type Route = readonly (string | number)[];

export function urlOf(route: Route): string {
  return `/api/${route.map(encodeURIComponent).join("/")}`;
}

/** The JSON of an answer; throws an error whose message is a sentence for the reader. */
export async function read<T>(route: Route): Promise<T> {
  return (await answerOf(route)).json() as Promise<T>;
}

/** Writes or asks: a JSON body with the header that only a page of this origin can set. */
export function send(route: Route, body: object, signal?: AbortSignal): Promise<Response> {
  const headers = { "content-type": "application/json", "x-viva": "1" };
  return answerOf(route, { method: "POST", headers, body: JSON.stringify(body), ...(signal === undefined ? {} : { signal }) });
}

async function answerOf(route: Route, init: RequestInit = {}): Promise<Response> {
  const answer = await (isBundle ? bundled(route) : fetch(urlOf(route), init)).catch((error: unknown) => {
    throw init.signal?.aborted ? error : new Error("the server does not answer: is viva ui still running?");
  });
  if (answer.ok) return answer;
  const body = (await answer.json().catch(() => null)) as { readonly error?: string } | null;
  throw new Error(body?.error ?? `the server answered ${answer.status}`);
}

/** Pixel values with what the server says of them. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly bits: 8 | 16;
  /** To the image's units, Hounsfield's for CT; absent where its values have none. */
  readonly slope?: number;
  readonly intercept?: number;
  readonly modality?: string;
  readonly window?: { readonly center: number; readonly width: number };
  readonly inverse?: boolean;
  readonly patch?: number;
  readonly token?: number;
  readonly tokens?: number;
  readonly data: Uint8Array | Uint16Array;
}

/** The image's values, or the model's view of it. */
export async function readPixels(run: string, sha256: string, view: "stored" | "model"): Promise<Pixels> {
  const answer = await answerOf(["runs", run, "images", sha256, ...(view === "model" ? ["model"] : [])]);
  const about = JSON.parse(answer.headers.get("x-image") ?? "{}") as Omit<Pixels, "data">;
  const bytes = await answer.arrayBuffer();
  return { ...about, data: about.bits === 16 ? new Uint16Array(bytes) : new Uint8Array(bytes) };
}

/** Address of a thumbnail, for an img element; a data: URL in a bundle. */
export async function thumbnailUrl(run: string, sha256: string): Promise<string | null> {
  const route = ["runs", run, "images", sha256, "thumbnail"];
  if (!isBundle) return urlOf(route);
  const file = await bundleFile(`/api/${route.join("/")}`);
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
    script.onload = script.onerror = () => {
      script.remove();
      resolve(loaded.get(path) ?? null);
    };
    document.head.append(script);
  });
}

async function bundled(route: Route): Promise<Response> {
  const file = await bundleFile(`/api/${route.join("/")}`);
  if (file === null) return Response.json({ error: "this is not part of the bundle: open the run with viva ui" }, { status: 404 });
  const content = file.text ?? Uint8Array.from(atob(file.base64 ?? ""), (letter) => letter.charCodeAt(0));
  return new Response(content, { headers: { "content-type": file.type, ...(file.image === undefined ? {} : { "x-image": file.image }) } });
}
