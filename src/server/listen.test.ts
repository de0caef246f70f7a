import { createServer } from "node:http";
import { expect, it } from "vitest";
import { listen } from "./listen.ts";

it("says of an address that is taken, or not this machine's, what to choose instead", async () => {
  const first = createServer();
  const { port } = await listen(first, "127.0.0.1", 0);
  await expect(listen(createServer(), "127.0.0.1", port)).rejects.toThrow(
    `cannot listen on 127.0.0.1:${port}: something listens there already; choose another with --port (0 takes a free one)`,
  );
  await expect(listen(createServer(), "192.0.2.1", 0)).rejects.toThrow(/no address of this machine \(--host\)/);
  await new Promise((closed) => first.close(closed));
});
