/**
 * Who may ask. A page on this machine is asked for by a loopback name alone, so that no foreign name can be made to point
 * here; nothing is given to pages of another origin; writing takes a JSON body and a header that a foreign page cannot send.
 * Beyond the loopback a token opens a session, which is a cookie that scripts do not see.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { HTTPException } from "hono/http-exception";
import { UserError } from "../core/errors.ts";
import { isLoopback } from "../server/access.ts";

export interface Access {
  /** Origin under which the page is reached, when it is not a loopback address: "https://station.clinic". */
  readonly origin: string | null;
  /** Null on the loopback. */
  readonly token: string | null;
}

/** On the loopback, nothing is needed; elsewhere an origin is, and a token is made. Throws UserError. */
export function accessFor(host: string, origin: string | undefined): Access {
  if (isLoopback(host)) {
    if (origin !== undefined) throw new UserError("--origin goes with --host: on this machine none is needed");
    return { origin: null, token: null };
  }
  if (origin === undefined) {
    throw new UserError(
      `--host ${host}: others can reach this address, so name the one under which the page is opened, as --origin https://station.clinic`,
    );
  }
  const url = URL.parse(origin);
  if (url === null || !/^https?:$/.test(url.protocol) || url.origin !== origin.replace(/\/$/, "")) {
    throw new UserError(`--origin ${origin}: expected scheme and host alone, as https://station.clinic`);
  }
  return { origin: url.origin, token: randomBytes(24).toString("base64url") };
}

/** Everything that a response tells the browser to refuse. */
export const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": [
    ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:"],
    ...["connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
    ...["require-trusted-types-for 'script'", "trusted-types 'none'"],
  ].join("; "),
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=()",
  "cache-control": "no-store",
};

/** Header that only a script of the page itself can set. */
export const OWN_HEADER = "x-viva";
const COOKIE = "viva_ui";

/** Checks every request; the routes behind it are told of none that fails. */
export function guard(access: Access): MiddlewareHandler {
  return async (c, next) => {
    requireHost(c, access);
    const isApi = c.req.path.startsWith("/api/");
    if (isApi) requireSameOrigin(c, access);
    if (isApi && c.req.path !== "/api/session") requireSession(c, access);
    if (!["GET", "HEAD"].includes(c.req.method)) requireOwnWrite(c);
    await next();
    const own = c.res.headers.get("content-security-policy"); // of a report, which is no page of ours
    for (const [name, value] of Object.entries(securityHeaders)) c.res.headers.set(name, value);
    if (own !== null) c.res.headers.set("content-security-policy", own);
  };
}

/** Gives the session's cookie for the token; the answer says only whether it was right. */
export function openSession(c: Context, access: Access, given: unknown): boolean {
  if (access.token === null) return true;
  if (typeof given !== "string" || !same(given, access.token)) return false;
  const secure = access.origin!.startsWith("https:");
  setCookie(c, COOKIE, access.token, { httpOnly: true, sameSite: "Strict", path: "/", secure });
  return true;
}

function requireHost(c: Context, { origin }: Access): void {
  const host = c.req.header("host") ?? "";
  const own = origin === null ? isLoopback(host.replace(/:\d+$/, "")) : host === new URL(origin).host;
  if (!own) refuse(403, "this address is not one under which the page is served");
}

/** A browser says where a request comes from; a program that is no browser says nothing. */
function requireSameOrigin(c: Context, access: Access): void {
  const site = c.req.header("sec-fetch-site");
  if (site !== undefined && site !== "same-origin" && site !== "none") refuse(403, "asked for by another site");
  const origin = c.req.header("origin");
  const own = access.origin ?? `http://${c.req.header("host")}`;
  if (origin !== undefined && origin !== own) refuse(403, "asked for by a page of another origin");
}

function requireOwnWrite(c: Context): void {
  const type = c.req.header("content-type") ?? "";
  if (!/^application\/json *(;|$)/i.test(type)) refuse(415, "the body must be JSON");
  if (c.req.header(OWN_HEADER) === undefined) refuse(403, `the header ${OWN_HEADER} is missing`);
}

function requireSession(c: Context, { token }: Access): void {
  if (token === null || same(getCookie(c, COOKIE) ?? "", token)) return;
  refuse(401, "open the address that viva ui printed, with its token");
}

function refuse(status: 401 | 403 | 415, message: string): never {
  throw new HTTPException(status, { message });
}

function same(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
