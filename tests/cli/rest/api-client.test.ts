import { describe, expect, test } from "bun:test";
import type { ApiClient } from "../../../lib/cli/rest/api-client.ts";
import { downloadRecord } from "../../support/records.ts";
import { json, scriptedRest } from "../../support/scripted-rest.ts";

const ID = downloadRecord().download_id;
const accepted = { success: true, download_id: ID, status: "queued", message: "queued" };

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
    await using server = scriptedRest(json(answer));
    await call(server.api);
    const [request] = server.requests;
    expect(`${request?.method} ${request?.path}`).toBe(expected);
    expect(request).toMatchObject({ token: "Bearer secret", body });
  });

  test("gives what the server answers", async () => {
    const record = downloadRecord({ status: "completed", md5: "0".repeat(32) });
    await using server = scriptedRest(json(record));
    expect(await server.api.download(ID)).toEqual(record);
  });
});
