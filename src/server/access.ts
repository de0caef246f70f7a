/** Who may ask: bearer keys, compared in constant time, and no foreign web page by way of the user's browser. */
import { createHash, timingSafeEqual } from "node:crypto";
import { ApiError } from "./api-error.ts";

/** Throws ApiError (401) unless the header brings the key. */
export function requireKey(authorization: string | undefined, apiKey: string): void {
  const given = /^Bearer +(.+)$/i.exec(authorization ?? "")?.[1]?.trim();
  const same = timingSafeEqual(digest(given ?? ""), digest(apiKey));
  if (given !== undefined && same) return;
  const message = given === undefined ? "an API key is needed: authorization: Bearer KEY" : "the API key is wrong";
  throw new ApiError(401, message, { code: "invalid_api_key", headers: { "www-authenticate": "Bearer" } });
}

/** Equal lengths, whatever the keys'. */
const digest = (text: string) => createHash("sha256").update(text).digest();

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  return bare === "localhost" || bare === "::1" || /^127(\.\d{1,3}){3}$/.test(bare);
}

/**
 * A server without a key answers only what was addressed to the loopback: a web page whose name was made to point there
 * (DNS rebinding) brings its own name in Host. Throws ApiError (403).
 */
export function requireLoopbackHost(host: string | undefined): void {
  const name = (host ?? "").replace(/:\d+$/, "");
  if (isLoopback(name)) return;
  throw new ApiError(403, "without an API key only requests to localhost are answered", { code: "host_not_allowed" });
}
