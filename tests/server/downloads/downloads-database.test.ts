import { describe, expect, jest, spyOn, test } from "bun:test";
import { NO_JOBS, order, problem } from "../../support/downloads.ts";
import { WriteAheadLog } from "../../../lib/server/database/write-ahead-log.ts";
import {
  BYTES,
  connect,
  downloads,
  log,
  pull,
  repository,
  settle,
  SITE,
  statusOf,
  storage,
  useDownloads,
} from "../../support/downloads-stage.ts";

useDownloads();

/* Downloads while the database fails, or takes long. */

test("a job is told when a failure could first be read, which is before the flush", async () => {
  using onChange = spyOn(NO_JOBS, "onChange");
  const { downloadId } = await downloads.create(order(SITE, "a.bin", { jobId: "a job" }));
  const flushed = Promise.withResolvers<void>();
  using flush = spyOn(WriteAheadLog.prototype, "flush").mockReturnValue(flushed.promise);
  const ended = downloads.giveUp(downloadId, problem("client_not_connected"));
  await settle();
  expect(await statusOf(downloadId)).toBe("failed");
  expect(onChange).not.toHaveBeenCalledWith("a job", "failed", expect.anything());
  const seenAt = performance.now();
  jest.advanceTimersByTime(1);
  flush.mockResolvedValue(undefined);
  flushed.resolve();
  await ended;
  const [, , at] = onChange.mock.lastCall!;
  expect(onChange).toHaveBeenLastCalledWith("a job", "failed", at);
  expect(at).toBeLessThanOrEqual(seenAt);
});

describe("an error of the database", () => {
  const broken = new Error("disk I/O error");

  test("in the middle of an attempt leaves nobody's row behind: it goes on 5 s later", async () => {
    const site = await connect();
    const id = await pull();
    using replace = spyOn(repository, "replaceDownload").mockRejectedValue(broken);
    site.send(site.requests[0]!, BYTES);
    await settle();
    expect(await statusOf(id)).toBe("downloading");
    expect(log.join("")).toContain(broken.message);
    expect(site.told.at(-1)).toMatchObject({ type: "cancel" });
    replace.mockRestore();
    jest.advanceTimersByTime(5_000);
    await settle();
    expect(site.requests).toHaveLength(2);
    site.send(site.requests[1]!, BYTES);
    await settle();
    expect(await downloads.get(id)).toMatchObject({ status: "completed", attempts: 2 });
  });

  test("leaves a row that is claimed again before it is flushed to its new attempt", async () => {
    const site = await connect();
    const id = await pull();
    using replace = spyOn(repository, "replaceDownload").mockRejectedValue(broken);
    site.send(site.requests[0]!, BYTES);
    await settle();
    replace.mockRestore();
    const flushed = Promise.withResolvers<void>();
    using flush = spyOn(WriteAheadLog.prototype, "flush").mockReturnValue(flushed.promise);
    jest.advanceTimersByTime(5_000);
    await settle();
    expect(flush).toHaveBeenCalled();
    downloads.clientRegistered(SITE);
    await settle();
    expect(await downloads.get(id)).toMatchObject({ status: "downloading", epoch: 2 });
    flush.mockResolvedValue(undefined);
    flushed.resolve();
    await settle();
    site.send(site.requests[1]!, BYTES);
    await settle();
    expect(await statusOf(id)).toBe("completed");
  });

  test("at one download leaves the others alone", async () => {
    const site = await connect();
    const [hit, other] = [await pull(), await pull()];
    site.send(site.requests[1]!, BYTES, 5_000);
    await settle();
    using replace = spyOn(repository, "replaceDownload").mockRejectedValue(broken);
    site.send(site.requests[0]!, BYTES);
    await settle();
    replace.mockRestore();
    jest.advanceTimersByTime(5_000);
    await settle();
    site.send(site.requests[2]!, BYTES);
    site.sendRest(site.requests[1]!, BYTES, 5_000);
    await settle();
    expect(await downloads.get(hit)).toMatchObject({ status: "completed", attempts: 2 });
    expect(await downloads.get(other)).toMatchObject({ status: "completed", attempts: 1 });
  });

  test("that lasts is met again and again, until it is over", async () => {
    const site = await connect();
    const id = await pull();
    using replace = spyOn(repository, "replaceDownload").mockRejectedValue(broken);
    using active = spyOn(repository, "activeDownloads").mockRejectedValue(broken);
    site.leave();
    await settle();
    for (let round = 0; round < 3; round++) {
      jest.advanceTimersByTime(5_000);
      await settle();
    }
    expect(active).toHaveBeenCalledTimes(3);
    replace.mockRestore();
    active.mockRestore();
    jest.advanceTimersByTime(5_000);
    await settle();
    expect(await statusOf(id)).toBe("queued");
  });

  test("when the file has its name already does not give it a second one", async () => {
    const site = await connect();
    const id = await pull();
    const replaceDownload = repository.replaceDownload.bind(repository);
    using replace = spyOn(repository, "replaceDownload").mockImplementation(async (next) => {
      if (next.status === "completed") throw broken;
      return replaceDownload(next);
    });
    site.send(site.requests[0]!, BYTES);
    await settle();
    expect([await statusOf(id), storage.files.size]).toEqual(["verifying", 1]);
    replace.mockRestore();
    jest.advanceTimersByTime(5_000);
    await settle();
    expect(await statusOf(id)).toBe("completed");
    expect([...storage.files.values()]).toEqual([BYTES]);
  });
});
