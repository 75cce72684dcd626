import { describe, expect, test } from "bun:test";
import type { DownloadRecord } from "../../../lib/api/schemas.ts";
import { UnreachableError } from "../../../lib/cli/rest/api-errors.ts";
import { formatEvent, formatStart } from "../../../lib/util/server-sent-events.ts";
import { errorOf } from "../../support/errors.ts";
import { clientRecord, downloadRecord } from "../../support/records.ts";
import { json, scriptedRest } from "../../support/scripted-rest.ts";

const ID = downloadRecord().download_id;

/** Answers with these events, after which the stream ends, or stays open without another event. */
function eventStream(records: DownloadRecord[], then: "end" | "wait" = "end") {
  return (request: Request) => {
    const text = records.map((record, n) => formatEvent("download", record, n + 1)).join("");
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(formatStart(1, 0) + text));
        if (then === "end") controller.close();
      },
      async pull() {
        await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
}

describe("watching a download", () => {
  const at = (bytes: number) =>
    downloadRecord({ status: "downloading", bytes_received: bytes, total_size: 2 });
  const completed = downloadRecord({ status: "completed", bytes_received: 2, total_size: 2 });
  const quick = { pollInterval: 1 };

  test("tells each change, up to the end, by one call", async () => {
    await using server = scriptedRest(eventStream([at(0), at(1), completed], "wait"));
    const seen: DownloadRecord[] = [];
    const last = await server.api.watchDownload(ID, (record) => seen.push(record), quick);
    expect(seen).toEqual([at(0), at(1), completed]);
    expect(last).toEqual(completed);
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]).toMatchObject({
      path: `/api/downloads/${ID}/events`,
      token: "Bearer secret",
    });
  });

  test.each(["failed", "cancelled"] as const)("ends with %s too", async (status) => {
    await using server = scriptedRest(eventStream([downloadRecord({ status })], "wait"));
    expect((await server.api.watchDownload(ID, () => {}, quick)).status).toBe(status);
  });

  test("goes on with a new call when the stream ends early, and says where it was", async () => {
    await using server = scriptedRest(
      eventStream([at(0), at(1)], "end"),
      eventStream([at(1), completed]),
    );
    const seen: DownloadRecord[] = [];
    await server.api.watchDownload(ID, (record) => seen.push(record), quick);
    expect(seen).toEqual([at(0), at(1), at(1), completed]);
    expect(server.requests.map(({ lastEventId }) => lastEventId)).toEqual([null, "2"]);
  });

  test("outlives a restart of the server", async () => {
    const server = scriptedRest(eventStream([at(0)], "wait"));
    const { port } = server;
    const seen = Promise.withResolvers<void>();
    const away = Promise.withResolvers<void>();
    const watching = server.api.watchDownload(ID, () => seen.resolve(), {
      ...quick,
      onUnreachable: () => away.resolve(),
    });
    await seen.promise;
    await server[Symbol.asyncDispose]();
    await away.promise;
    expect(await errorOf(server.api.health())).toBeInstanceOf(UnreachableError);
    await using again = Bun.serve({ hostname: "127.0.0.1", port, fetch: eventStream([completed]) });
    expect(again.port).toBe(port);
    expect(await watching).toEqual(completed);
  });

  test("gives up on a server that stays away", async () => {
    const server = scriptedRest(json({}));
    await server[Symbol.asyncDispose]();
    const watching = server.api.watchDownload(ID, () => {}, { ...quick, patience: 20 });
    expect(await errorOf(watching)).toBeInstanceOf(UnreachableError);
  });

  test("ends at once when the server refuses", async () => {
    const refusal = { error: "no such download", code: "download_not_found" };
    await using server = scriptedRest(eventStream([at(0)]), json(refusal, 404));
    const error = await errorOf(server.api.watchDownload(ID, () => {}, quick));
    expect(error).toMatchObject({ code: "download_not_found" });
  });

  test.each([
    ["no event stream", json(completed)],
    ["events of another kind", eventStream([{ ...at(0), status: "odd" as "failed" }], "wait")],
  ])("ends at once when the server answers with %s", async (_, answer) => {
    await using server = scriptedRest(answer);
    const error = await errorOf(server.api.watchDownload(ID, () => {}, quick));
    expect(error).toMatchObject({ code: "unexpected_answer" });
  });

  test("ends with the reason of its signal", async () => {
    await using server = scriptedRest(eventStream([at(0)], "wait"));
    const reason = new Error("enough");
    const controller = new AbortController();
    const stop = () => controller.abort(reason);
    const watching = server.api.watchDownload(ID, stop, { ...quick, signal: controller.signal });
    expect(await errorOf(watching)).toBe(reason);
  });
});

test("all changes come with what they are of", async () => {
  const client = clientRecord();
  const text = formatEvent("client", client, 1) + formatEvent("download", downloadRecord(), 2);
  await using server = scriptedRest(
    () => new Response(text, { headers: { "content-type": "text/event-stream" } }),
  );
  const changes = server.api.changes();
  const first = [await changes.next(), await changes.next()].map(({ value }) => value);
  await changes.return(null);
  expect(first).toEqual([
    { event: "client", data: client },
    { event: "download", data: downloadRecord() },
  ]);
  expect(server.requests[0]?.path).toBe("/api/events");
});
