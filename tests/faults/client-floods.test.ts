import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { BYTES, CHUNK, requested, system, useLiars } from "../support/liars.ts";
import { frame, md5, ScriptedClient } from "../support/scripted-client.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useLiars();

/* Floods from clients: too many messages, and many connections that send nothing. */

describe("a flood", () => {
  test("of frames for nobody, and of messages", async () => {
    const { client, request, downloadId } = await requested();
    const late = frame({ ...request, epoch: 0 }, 0, BYTES.subarray(0, CHUNK));
    for (let n = 0; n < 500; n++) {
      client.sendRaw(late);
      client.send({ type: "proving", stream: request.stream, epoch: request.epoch, offset: n });
    }
    client.deliver(request, BYTES);
    expect(await system.ended(downloadId)).toMatchObject({ status: "completed", md5: md5(BYTES) });
  });

  test("of connections that never say who they are", async () => {
    const strangers = await Promise.all(
      Array.from({ length: 100 }, () => ScriptedClient.connect(system.url)),
    );
    const { connected_clients } = await system.api.health();
    expect(connected_clients).toBeLessThan(100);
    for (const stranger of strangers) stranger.sendRaw("who am I");
    const closings = await Promise.all(strangers.map((stranger) => stranger.closed));
    expect(closings.every(({ code }) => code === 1002)).toBe(true);
  });

  test("of connections that leave at once", async () => {
    for (let n = 0; n < 50; n++) {
      const client = await ScriptedClient.register(system.url, { client_id: "passing" });
      await client[Symbol.asyncDispose]();
    }
    await waitFor(async () => {
      const known = await system.api.clients();
      return known.find(({ client_id }) => client_id === "passing")?.connected === false;
    }, "the last one to be seen gone");
  });
});
