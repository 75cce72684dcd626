import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { endpoints } from "../../lib/api/endpoints.ts";
import { DownloadAccepted, DownloadList, DownloadRecord } from "../../lib/api/schemas.ts";
import { Listener } from "../support/events.ts";
import {
  AWAY,
  call,
  expectDocumented,
  expectError,
  ids,
  of,
  placeOf,
  system,
  useRestStage,
} from "../support/rest-stage.ts";
import { API_TOKEN } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Cancelling and retrying downloads over REST, and which downloads count as open failures. */

useRestStage();

describe("cancel and retry", () => {
  test.each([
    ["completed", "download_already_ended", "download_already_ended"],
    ["failed", "download_already_ended", null],
    ["cancelled", "download_already_ended", null],
    ["queued", null, "download_not_finished"],
    ["downloading", null, "download_not_finished"],
  ] as const)("a %s download", async (status, onCancel, onRetry) => {
    if (onRetry) {
      const answer = await call("POST", of(ids[status], "/retry"));
      expectError(answer, onRetry);
      expectDocumented(endpoints.retryDownload, answer);
      expect(answer.status).toBe(409);
    }
    if (onCancel) {
      const answer = await call("POST", of(ids[status], "/cancel"));
      expectError(answer, onCancel, new RegExp(status));
      expectDocumented(endpoints.cancelDownload, answer);
      expect(answer.status).toBe(409);
    }
  });

  test("cancel ends a download, once", async () => {
    const id = await system.pull("data.bin", AWAY);
    const answer = await call("POST", of(id, "/cancel"));
    expectDocumented(endpoints.cancelDownload, answer);
    expect(answer).toMatchObject({ status: 200, body: { download_id: id, status: "cancelled" } });
    expectError(await call("POST", of(id, "/cancel")), "download_already_ended");
    expect((await call("GET", of(id))).body).toEqual(answer.body as object);
  });

  test.each(["failed", "cancelled"] as const)(
    "retry of a %s one is a new download of the same file",
    async (status) => {
      const before = (await call("GET", of(ids[status]))).body as DownloadRecord;
      const answer = await call("POST", of(ids[status], "/retry"));
      expectDocumented(endpoints.retryDownload, answer);
      expect(answer.status).toBe(202);
      const { download_id } = DownloadAccepted.parse(answer.body);
      expect(placeOf(answer, of(ids[status], "/retry"))).toBe(of(download_id));
      const { client_id, file_path } = before;
      expect((await call("GET", of(download_id))).body).toMatchObject({ client_id, file_path });
      // The old download stays unchanged, except for `retried_as`, which names the new one.
      expect((await call("GET", of(ids[status]))).body).toEqual({
        ...before,
        retried_as: download_id,
      });
      if (status === "cancelled") await system.api.cancel(download_id);
      else expect(await system.ended(download_id)).toMatchObject({ status: "failed" });
    },
  );
});

describe("what failed", () => {
  /** Returns the ids of the open failures, after checking that all totals agree with their number. */
  async function owed(): Promise<string[]> {
    const list = await call("GET", "/api/downloads?status=failed&open=true");
    expectDocumented(endpoints.listDownloads, list);
    const found = DownloadList.parse(list.body).downloads.map(({ download_id }) => download_id);
    const later = new Date(Date.now() + 60_000).toISOString();
    const totals = await call("GET", `/api/totals?since=${later}`);
    expectDocumented(endpoints.totals, totals);
    expect(totals.body).toMatchObject({ open_failures: found.length });
    expect((await call("GET", "/metrics")).body).toContain(`fds_open_failures ${found.length}\n`);
    return found;
  }

  test("is owed until a retry of it is completed, or cancelled", async () => {
    const before = await owed();
    const first = await system.pull("late.bin");
    await system.ended(first);
    expect(await owed()).toEqual([first, ...before]);
    // A queued or running retry is not an open failure. A failed retry takes the place of the first failure.
    const second = (await system.api.retry(first)).download_id;
    await system.ended(second);
    expect(await owed()).toEqual([second, ...before]);
    await Bun.write(system.source("late.bin"), "there now");
    const third = (await system.api.retry(second)).download_id;
    expect(await owed()).toEqual(before);
    expect(await system.ended(third)).toMatchObject({ status: "completed", retried_as: null });
    expect(await owed()).toEqual(before);
    expect((await call("GET", of(first))).body).toMatchObject({
      status: "failed",
      retried_as: second,
    });
  });

  test("is told to who follows, when it is retried", async () => {
    const failed = await system.pull("missing.bin");
    await system.ended(failed);
    const listener = new Listener(
      await fetch(`${system.url}/api/events`, {
        headers: { Authorization: `Bearer ${API_TOKEN}` },
      }),
    );
    await listener.next();
    const { download_id } = await system.api.retry(failed);
    const told = await listener.until(
      ({ event, data }) => event === "download" && data.download_id === failed,
    );
    expect(told.data).toMatchObject({ status: "failed", retried_as: download_id });
    await listener.close();
    await system.ended(download_id);
  });
});
