/** A language model asked once for what is the same, in flight and from run to run: replies are kept by the hash of what was asked. */
import type { Message } from "../core/records.ts";
import type { ChatClient, ChatSampling } from "./chat-client.ts";
import { sha256 } from "./files.ts";
import type { ReplyCache } from "./reply-cache.ts";

export interface CachedChat {
  /** The text of the reply; rejects as `ChatClient.send` does. A failure is not kept. */
  complete(messages: readonly Message[]): Promise<string>;
}

export function cachedChat(client: ChatClient, sampling: ChatSampling, cache: ReplyCache | null): CachedChat {
  const underWay = new Map<string, Promise<string>>();

  async function ask(body: string, hash: string): Promise<string> {
    const known = cache?.get(hash) ?? null;
    if (known !== null) return known;
    const { text } = await client.send(body);
    cache?.set(hash, text);
    return text;
  }
  return {
    async complete(messages) {
      const body = await client.body(messages, sampling);
      const hash = sha256(body);
      const pending = underWay.get(hash) ?? ask(body, hash).finally(() => underWay.delete(hash));
      underWay.set(hash, pending);
      return pending;
    },
  };
}
