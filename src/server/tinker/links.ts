/** Addresses that carry their own permission for a while: the SDKs open what they download without a key. */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

const MINUTES = 15;

export interface Links {
  /** The address with its permission, and when that ends. */
  sign(url: string): { readonly url: string; readonly expires: string };
  /** Whether an address has a permission of this server's that lasts. */
  allows(url: string): boolean;
}

/** Permissions end with the process: their secret is its own. */
export function openLinks(): Links {
  const secret = randomBytes(32);
  const mac = (path: string, until: string) =>
    createHmac("sha256", secret).update(`${until} ${path}`).digest("base64url");
  return {
    sign(url) {
      const signed = new URL(url);
      const until = Date.now() + MINUTES * 60_000;
      signed.search = new URLSearchParams({
        until: String(until),
        mac: mac(signed.pathname, String(until)),
      }).toString();
      return { url: signed.href, expires: new Date(until).toISOString() };
    },
    allows(url) {
      const { pathname, searchParams } = new URL(url);
      const until = searchParams.get("until") ?? "";
      const [given, own] = [Buffer.from(searchParams.get("mac") ?? ""), Buffer.from(mac(pathname, until))];
      return given.length === own.length && timingSafeEqual(given, own) && Number(until) > Date.now();
    },
  };
}
