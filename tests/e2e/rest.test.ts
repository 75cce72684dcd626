import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { endpoints } from "../../lib/api/endpoints.ts";
import { openApiDocument } from "../../lib/api/openapi.ts";
import { DownloadAccepted, DownloadList, DownloadRecord } from "../../lib/api/schemas.ts";
import { version } from "../../package.json";
import { ON_S3 } from "../support/backend.ts";
import { REGISTER, ScriptedClient } from "../support/scripted-client.ts";
import { md5OfFile } from "../support/sources.ts";
import {
  type Answer,
  AWAY,
  call,
  expectDocumented,
  expectError,
  expectNoSecretInLogs,
  ids,
  NOWHERE,
  of,
  placeOf,
  SIZE,
  system,
  useRestStage,
} from "../support/rest-stage.ts";
import { API_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* The REST interface of a real server: correct requests succeed. */

useRestStage();

describe("what goes well", () => {
  test("GET /health, without a token", async () => {
    const answer = await call("GET", "/health", undefined, { Authorization: "" });
    expect(answer.status).toBe(200);
    expectDocumented(endpoints.health, answer);
    expect(answer.body).toMatchObject({
      status: "healthy",
      server_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      version,
      connected_clients: 2,
      active_downloads: 1,
    });
  });

  test("GET /live, without a token", async () => {
    const answer = await call("GET", "/live", undefined, { Authorization: "" });
    expect(answer).toMatchObject({ status: 200, body: { status: "live" } });
    expectDocumented(endpoints.live, answer);
  });

  test("GET /openapi.json, without a token: the document of these very schemas", async () => {
    const answer = await call("GET", "/openapi.json", undefined, { Authorization: "" });
    expect(answer).toMatchObject({ status: 200, body: { openapi: "3.1.0" } });
    expect(answer.body).toEqual(JSON.parse(JSON.stringify(await openApiDocument(version))));
  });

  test("GET /api/clients, also those that are away", async () => {
    const answer = await call("GET", "/api/clients");
    expectDocumented(endpoints.listClients, answer);
    expect(answer.body).toMatchObject({
      clients: [
        { client_id: "site-1", connected: true, active_downloads: 0, version },
        { client_id: AWAY, connected: false, hostname: REGISTER.hostname },
        { client_id: "site-slow", connected: true, active_downloads: 1 },
      ],
    });
  });

  test("POST /api/download, with the default file and the place of the record", async () => {
    const answer = await call("POST", "/api/download", { client_id: AWAY });
    expectDocumented(endpoints.startDownload, answer);
    expect(answer.status).toBe(202);
    const { download_id } = DownloadAccepted.parse(answer.body);
    expect(placeOf(answer, "/api/download")).toBe(of(download_id));
    const record = await call("GET", of(download_id));
    expect(record.body).toMatchObject({ file_path: "file_to_download.txt", status: "queued" });
    await system.api.cancel(download_id);
  });

  test.each(Object.keys(ids) as (keyof typeof ids)[])("GET a %s download", async (status) => {
    const answer = await call("GET", of(ids[status]));
    expectDocumented(endpoints.getDownload, answer);
    expect(answer.body).toMatchObject({ download_id: ids[status], status });
  });

  test("a completed record tells all", async () => {
    const { body } = await call("GET", of(ids.completed));
    expect(body).toMatchObject({
      client_id: "site-1",
      file_path: "data.bin",
      total_size: SIZE,
      bytes_received: SIZE,
      percent: 100,
      total_chunks: 1,
      chunks_received: 1,
      md5: await md5OfFile(system.source("data.bin")),
      saved_path: expect.stringMatching(/^site-1\/\d{8}_\d{6}_data\.bin$/),
      attempts: 1,
      error: null,
      error_code: null,
    });
  });

  test("a failed record tells why", async () => {
    const { body } = await call("GET", of(ids.failed));
    expect(body).toMatchObject({
      error_code: "file_not_found",
      error: 'the client has no file "missing.bin"',
      saved_path: null,
      md5: null,
    });
  });
});

describe("the list", () => {
  /** Returns the downloads of every page of the list, page by page. */
  async function allPages(query: string): Promise<DownloadRecord[][]> {
    const pages: DownloadRecord[][] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const answer: Answer = await call("GET", `/api/downloads?${query}${cursor}`);
      expectDocumented(endpoints.listDownloads, answer);
      const { downloads, next_cursor } = DownloadList.parse(answer.body);
      pages.push(downloads);
      cursor = next_cursor && `&cursor=${next_cursor}`;
    }
    return pages;
  }

  test("comes in pages, newest first, each download once", async () => {
    const made: string[] = [];
    for (let n = 0; n < 11; n++) made.push(await system.pull(`${n}.bin`, AWAY));
    const newest = made.toReversed();
    const pages = await allPages(`limit=5&client_id=${AWAY}&status=queued`);
    const found = pages.map((page) => page.map(({ download_id }) => download_id));
    expect(found).toEqual([newest.slice(0, 5), newest.slice(5, 10), [newest[10]!, ids.queued]]);
    for (const id of made) await system.api.cancel(id);
  });

  test("ends where a page is just full", async () => {
    expect(await allPages(`limit=1&status=failed`)).toHaveLength(1);
    expect(await allPages(`client_id=nobody`)).toEqual([[]]);
  });

  test.each(Object.keys(ids) as (keyof typeof ids)[])(
    "of %s downloads has no other",
    async (status) => {
      const records = (await allPages(`status=${status}`)).flat();
      expect(records.map(({ download_id }) => download_id)).toContain(ids[status]);
      expect(records.every((record) => record.status === status)).toBe(true);
    },
  );
});

describe("a change of the rate", () => {
  const change = (id: string, body: unknown) => call("PATCH", of(id), JSON.stringify(body));

  test.each(["queued", "downloading"] as const)("of a %s download", async (status) => {
    for (const rate_limit of [1024, Number.MAX_SAFE_INTEGER, null]) {
      const answer = await change(ids[status], { rate_limit });
      expectDocumented(endpoints.changeDownload, answer);
      expect(answer).toMatchObject({ status: 200, body: { status, rate_limit } });
      expect((await call("GET", of(ids[status]))).body).toMatchObject({ rate_limit });
    }
  });

  test.each(["completed", "failed", "cancelled"] as const)("of a %s one", async (status) => {
    const answer = await change(ids[status], { rate_limit: 2048 });
    expectError(answer, "download_already_ended", new RegExp(status));
    expectDocumented(endpoints.changeDownload, answer);
  });

  test("of one that there is not", async () => {
    expectError(await change(NOWHERE, { rate_limit: null }), "download_not_found");
  });

  test.each(["{}", "[]", "null", ...["1023", "1e300", '"2MiB"'].map((n) => `{"rate_limit":${n}}`)])(
    "to %s",
    async (body) => {
      expectError(await call("PATCH", of(ids.queued), body), "invalid_request");
      expect((await call("GET", of(ids.queued))).body).toMatchObject({ rate_limit: null });
    },
  );
});

test.skipIf(ON_S3 !== "")(
  `a disk that is too full takes nothing new, and says so${ON_S3}`,
  async () => {
    await using full = await System.start({ MIN_FREE_DISK: "1000000GiB", ENROLL_TOKEN: "" });
    await using client = await ScriptedClient.register(full.url, {});
    const response = await fetch(`${full.url}/api/download`, {
      method: "POST",
      headers: { Authorization: `Bearer ${API_TOKEN}` },
      body: JSON.stringify({ client_id: REGISTER.client_id }),
    });
    expect([response.status, await response.json()]).toEqual([
      507,
      { error: "The server's disk is too full for another download", code: "storage_full" },
    ]);
    expect((await full.api.downloads()).downloads).toEqual([]);
    expect(client.isOpen).toBe(true);
  },
);

test("no log holds a secret", expectNoSecretInLogs);
