import { expect, test } from "bun:test";
import { Proxy } from "../support/proxy.ts";
import { Random } from "../support/random.ts";
import { frame, type Request, ScriptedClient } from "../support/scripted-client.ts";
import { System } from "../support/system.ts";

/*
 * The first credit of a file: the bytes that a client may send before the server has measured the transfer.
 */

const MiB = 1024 * 1024;
const BYTES = new Random(29).bytes(3 * MiB);

/** Sends the file as fast as the server's credit allows, and waits until it is published. */
async function deliver(client: ScriptedClient, request: Request): Promise<void> {
  client.start(request, BYTES);
  let granted = request.max_offset;
  for (let offset = 0; offset < BYTES.length;) {
    while (offset >= granted) granted = (await client.next("credit")).max_offset;
    const end = Math.min(offset + request.chunk_size, granted, BYTES.length);
    client.sendRaw(frame(request, offset, BYTES.subarray(offset, end)));
    offset = end;
  }
  client.complete(request, BYTES);
  await client.next("done");
}

test("a link that is known to be long and fast is granted what it needs, also after a reconnect", async () => {
  await using system = await System.start({ ENROLL_TOKEN: "" });
  await using proxy = await Proxy.listen(system.port);
  proxy.shape({ delay: 150 });
  const connect = () => ScriptedClient.register(proxy.url, { client_id: "far" });
  const windows: number[] = [];
  const pull = async (client: ScriptedClient) => {
    await system.pull("file", "far");
    const request = await client.next("download_request");
    windows.push(request.max_offset);
    await deliver(client, request);
  };
  const client = await connect();
  await pull(client);
  await pull(client);
  await client[Symbol.asyncDispose]();
  await using again = await connect();
  await pull(again);

  const [first = 0, ...known] = windows;
  expect(first).toBe(MiB);
  for (const window of known) {
    expect(window).toBeGreaterThan(first);
    expect(window).toBeLessThanOrEqual(24 * MiB);
  }
});
