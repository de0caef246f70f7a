import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { send } from "./http.ts";

let close = () => {};
afterEach(() => close());

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await new Promise((ready) => server.once("listening", ready));
  close = () => void server.close();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a server that fails is asked again", async () => {
  let times = 0;
  const at = await serve((_, response) => {
    response.statusCode = ++times < 3 ? 503 : 200;
    response.end('{"a":1}');
  });
  expect(await send(`${at}/x`, { json: {} })).toEqual({ status: 200, json: { a: 1 } });
  expect(times).toBe(3);
});

test("a refusal is told at once, without the key that the server repeats", async () => {
  const at = await serve((request, response) => {
    response.statusCode = 403;
    response.end(`the key ${request.headers.authorization} may not write\n`);
  });
  const headers = { authorization: "Bearer s3cret-key" };
  const error = await send(`${at}/api/x?key=s3cret-key`, { json: {}, headers }).catch((thrown: Error) => thrown);
  expect(String(error)).toBe(`UserError: ${at} answered 403 to /api/x: the key *** may not write`);
});

test("nobody there is a failure of the run, with the reason", async () => {
  const at = await serve(() => {});
  close();
  await expect(send(`${at}/x`, { json: {} })).rejects.toThrow(`${at} cannot be reached: ECONNREFUSED`);
});
