import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ApiClient } from "../../../lib/cli/rest/api-client.ts";
import { ApiCallError, UnreachableError } from "../../../lib/cli/rest/api-errors.ts";
import type { ClientRecord, DownloadRecord } from "../../../lib/api/schemas.ts";
import { formatEvent, formatStart } from "../../../lib/util/server-sent-events.ts";
import { downloadRecord } from "../../support/records.ts";
import { spawn } from "../../support/spawn.ts";

const ID = downloadRecord().download_id;

/** A server that gives these answers one after the other, the last one again and again. */
function scriptedServer(...answers: ((request: Request) => Response | Promise<Response>)[]) {
  const requests: {
    method: string;
    path: string;
    token: string | null;
    lastEventId: string | null;
    body: string;
  }[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const answer = answers[Math.min(requests.length, answers.length - 1)];
      requests.push({
        method: request.method,
        path: pathname + search,
        token: request.headers.get("authorization"),
        lastEventId: request.headers.get("last-event-id"),
        body: await request.text(),
      });
      return answer?.(request) ?? new Response(null, { status: 404 });
    },
  });
  return {
    requests,
    api: new ApiClient({ server: `http://127.0.0.1:${server.port}`, token: "secret" }),
    port: server.port,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

const json =
  (body: unknown, status = 200) =>
  () =>
    Response.json(body, { status });
const accepted = { success: true, download_id: ID, status: "queued", message: "queued" };

/** @returns what is thrown */
function errorOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => null,
    (error) => error,
  );
}

describe("a call", () => {
  test.each<[string, (api: ApiClient) => Promise<unknown>, unknown, string, string]>([
    ["clients", (api) => api.clients(), { clients: [] }, "GET /api/clients", ""],
    [
      "startDownload",
      (api) => api.startDownload({ client_id: "a", file_path: "b" }),
      accepted,
      "POST /api/download",
      '{"client_id":"a","file_path":"b"}',
    ],
    [
      "downloads",
      (api) => api.downloads({ status: "failed", limit: "2" }),
      { downloads: [], next_cursor: null },
      "GET /api/downloads?status=failed&limit=2",
      "",
    ],
    ["download", (api) => api.download(ID), downloadRecord(), `GET /api/downloads/${ID}`, ""],
    ["cancel", (api) => api.cancel(ID), downloadRecord(), `POST /api/downloads/${ID}/cancel`, ""],
    ["retry", (api) => api.retry(ID), accepted, `POST /api/downloads/${ID}/retry`, ""],
  ])("%s asks the right thing, with the token", async (_, call, answer, expected, body) => {
    await using server = scriptedServer(json(answer));
    await call(server.api);
    const [request] = server.requests;
    expect(`${request?.method} ${request?.path}`).toBe(expected);
    expect(request).toMatchObject({ token: "Bearer secret", body });
  });

  test("gives what the server answers", async () => {
    const record = downloadRecord({ status: "completed", md5: "0".repeat(32) });
    await using server = scriptedServer(json(record));
    expect(await server.api.download(ID)).toEqual(record);
  });

  test("an id cannot lead to another path", async () => {
    await using server = scriptedServer(json(downloadRecord()));
    await server.api.download("../clients?x=1#");
    expect(server.requests[0]?.path).toBe("/api/downloads/..%2Fclients%3Fx%3D1%23");
  });
});

describe("an error", () => {
  test("of the server keeps its status, its code and its sentence", async () => {
    const body = { error: "no\x1b[2J such\nclient", code: "client_not_found" };
    await using server = scriptedServer(json(body, 404));
    const error = await errorOf(server.api.startDownload({ client_id: "a" }));
    expect(error).toBeInstanceOf(ApiCallError);
    expect(error).toMatchObject({
      status: 404,
      code: "client_not_found",
      message: "no suchclient",
    });
  });

  test.each([
    ["a page", () => new Response("<html>")],
    ["another shape", json({ status: "fine" })],
    ["an error of another shape", json({ message: "no" }, 400)],
  ])("is what answers with %s", async (_, answer) => {
    await using server = scriptedServer(answer);
    expect(await errorOf(server.api.health())).toMatchObject({
      name: "ApiCallError",
      code: "unexpected_answer",
      message: expect.stringContaining(`check the address "http://127.0.0.1:${server.port}"`),
    });
  });

  test("tells in one line how to get a server where there is none", async () => {
    const server = scriptedServer(json({}));
    await server[Symbol.asyncDispose]();
    const error = await errorOf(server.api.health());
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error).toMatchObject({
      message: `no server answers at "http://127.0.0.1:${server.port}", start it with "bun run server"`,
    });
  });

  test("is the reason of the signal where somebody has enough", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    await using server = scriptedServer(() => {
      controller.abort(reason);
      return new Promise<Response>(() => {});
    });
    expect(await errorOf(server.api.download(ID, controller.signal))).toBe(reason);
  });
});

/** Answers with these events, and then ends or says nothing more. */
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
    await using server = scriptedServer(eventStream([at(0), at(1), completed], "wait"));
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
    await using server = scriptedServer(eventStream([downloadRecord({ status })], "wait"));
    expect((await server.api.watchDownload(ID, () => {}, quick)).status).toBe(status);
  });

  test("goes on with a new call when the stream ends early, and says where it was", async () => {
    await using server = scriptedServer(
      eventStream([at(0), at(1)], "end"),
      eventStream([at(1), completed]),
    );
    const seen: DownloadRecord[] = [];
    await server.api.watchDownload(ID, (record) => seen.push(record), quick);
    expect(seen).toEqual([at(0), at(1), at(1), completed]);
    expect(server.requests.map(({ lastEventId }) => lastEventId)).toEqual([null, "2"]);
  });

  test("outlives a restart of the server", async () => {
    const server = scriptedServer(eventStream([at(0)], "wait"));
    const { port } = server;
    const seen = Promise.withResolvers<void>();
    const away = Promise.withResolvers<void>();
    const watching = server.api.watchDownload(ID, () => seen.resolve(), {
      ...quick,
      onAway: () => away.resolve(),
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
    const server = scriptedServer(json({}));
    await server[Symbol.asyncDispose]();
    const watching = server.api.watchDownload(ID, () => {}, { ...quick, patience: 20 });
    expect(await errorOf(watching)).toBeInstanceOf(UnreachableError);
  });

  test("ends at once when the server refuses", async () => {
    const refusal = { error: "no such download", code: "download_not_found" };
    await using server = scriptedServer(eventStream([at(0)]), json(refusal, 404));
    const error = await errorOf(server.api.watchDownload(ID, () => {}, quick));
    expect(error).toMatchObject({ code: "download_not_found" });
  });

  test.each([
    ["no event stream", json(completed)],
    ["events of another kind", eventStream([{ ...at(0), status: "odd" as "failed" }], "wait")],
  ])("ends at once when the server answers with %s", async (_, answer) => {
    await using server = scriptedServer(answer);
    const error = await errorOf(server.api.watchDownload(ID, () => {}, quick));
    expect(error).toMatchObject({ code: "unexpected_answer" });
  });

  test("ends with the reason of its signal", async () => {
    await using server = scriptedServer(eventStream([at(0)], "wait"));
    const reason = new Error("enough");
    const controller = new AbortController();
    const stop = () => controller.abort(reason);
    const watching = server.api.watchDownload(ID, stop, { ...quick, signal: controller.signal });
    expect(await errorOf(watching)).toBe(reason);
  });
});

test("all changes come with what they are of", async () => {
  const client: ClientRecord = {
    client_id: "site-1",
    connected: true,
    connected_at: null,
    last_seen_at: null,
    remote_address: null,
    hostname: null,
    platform: null,
    version: null,
    active_downloads: 0,
    revoked_at: null,
    problem: null,
  };
  const text = formatEvent("client", client, 1) + formatEvent("download", downloadRecord(), 2);
  await using server = scriptedServer(
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

test.each(["localhost", "127.0.0.1"])(
  "a call to %s is shown to no proxy that the environment names",
  async (host) => {
    await using proxy = scriptedServer(() => new Response(null, { status: 502 }));
    await using server = scriptedServer(json({ clients: [] }));
    const program = `
      const { ApiClient } = await import(${JSON.stringify(join(process.cwd(), "lib/cli/rest/api-client.ts"))});
      const api = new ApiClient({ server: "http://${host}:${server.port}", token: "secret" });
      console.log((await api.clients()).length);`;
    const names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"];
    const env = Object.fromEntries(names.map((name) => [name, `http://127.0.0.1:${proxy.port}`]));
    const child = spawn([process.execPath, "-e", program], { env, stderr: "inherit" });
    expect(await new Response(child.stdout).text()).toBe("0\n");
    expect(proxy.requests).toEqual([]);
  },
);

test("a redirection is not followed, and is told", async () => {
  const location = "https://elsewhere.example/api/clients\u001b[2J";
  await using server = scriptedServer(() => Response.redirect(location, 301));
  const error = await errorOf(server.api.clients());
  expect(error).toMatchObject({ status: 301, code: "unexpected_answer" });
  expect(error).toMatchObject({
    message: expect.stringMatching(/it leads to "https:\/\/elsewhere/),
  });
  expect(server.requests).toHaveLength(1);
});
