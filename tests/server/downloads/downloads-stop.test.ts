import { describe, expect, spyOn, test } from "bun:test";
import { FdsError } from "../../../lib/protocol/errors.ts";
import {
  begin,
  BYTES,
  connect,
  downloads,
  pull,
  repository,
  settle,
  statusOf,
  storage,
  useDownloads,
} from "../../support/downloads-stage.ts";

useDownloads();

/* Cancelling downloads, and what a stop and a start of the server do to them. */

/**
 * Receives a whole file, and delays its publishing until `naming` is resolved. @returns `naming` and the id
 */
async function pulledUntilNamed() {
  const site = await connect();
  const id = await pull();
  const naming = Promise.withResolvers<void>();
  storage.publishing = naming.promise;
  site.send(site.requests[0]!, BYTES);
  await settle();
  return { id, naming };
}

describe("a cancel", () => {
  test("removes the part once nothing writes to it any more", async () => {
    const site = await connect();
    const id = await pull();
    const disk = Promise.withResolvers<void>();
    const part = storage.parts.get(id)!;
    part.held = disk.promise;
    site.send(site.requests[0]!, BYTES, 5_000);
    await settle();
    expect((await downloads.cancel(id)).status).toBe("cancelled");
    expect(site.told.at(-1)).toMatchObject({ type: "cancel" });
    await settle();
    expect([part.closed, storage.parts.size]).toEqual([false, 1]);
    disk.resolve();
    await settle();
    expect([part.closed, storage.parts.size]).toEqual([true, 0]);
  });

  test("that comes while the file gets its name is too late, and says so", async () => {
    const { id, naming } = await pulledUntilNamed();
    expect(await statusOf(id)).toBe("verifying");
    const cancelling = downloads.cancel(id).catch((error: unknown) => error);
    await settle();
    naming.resolve();
    expect(await cancelling).toMatchObject({ code: "download_already_ended" });
    expect([await statusOf(id), storage.files.size]).toEqual(["completed", 1]);
  });

  test("that comes while the file gets its name wins if it gets none", async () => {
    const { id, naming } = await pulledUntilNamed();
    const cancelling = downloads.cancel(id);
    await settle();
    naming.reject(new FdsError("storage_error", "the disk does not answer"));
    expect((await cancelling).status).toBe("cancelled");
    await settle();
    expect([storage.files.size, storage.parts.size]).toEqual([0, 0]);
  });
});

describe("a stop", () => {
  test("keeps what has arrived, and tells the row", async () => {
    const site = await connect();
    const id = await pull();
    site.send(site.requests[0]!, BYTES, 5_000);
    await settle();
    await downloads.stop();
    expect(storage.parts.get(id)).toMatchObject({ closed: true, synced: 5_000 });
    expect(await downloads.get(id)).toMatchObject({ status: "queued", durableOffset: 5_000 });
  });

  test("waits for a file that gets its name", async () => {
    const { id, naming } = await pulledUntilNamed();
    let stopped = false;
    const stopping = downloads.stop().then(() => (stopped = true));
    await settle();
    expect(stopped).toBe(false);
    naming.resolve();
    await stopping;
    expect(await statusOf(id)).toBe("completed");
  });

  test("starts nothing any more, whoever comes", async () => {
    const id = await pull();
    await downloads.stop();
    const site = await connect();
    expect(site.requests).toEqual([]);
    expect(await statusOf(id)).toBe("queued");
  });
});

describe("a start", () => {
  test("takes up what the last one left, and removes the parts of nobody", async () => {
    const site = await connect();
    const [cut, waiting] = [await pull(), await pull()];
    site.send(site.requests[0]!, BYTES, 5_000);
    await settle();
    await downloads.stop();
    const ofNobody = Bun.randomUUIDv7();
    await storage.openPart(ofNobody);
    await storage.parts.get(ofNobody)!.close();
    begin();
    await downloads.recover();
    expect([...storage.parts.keys()].toSorted()).toEqual([cut, waiting].toSorted());

    const back = await connect();
    expect(new Map(back.requests.map((r) => [r.download_id, r.offset]))).toEqual(
      new Map([
        [cut, 5_000],
        [waiting, 0],
      ]),
    );
    for (const request of back.requests) back.send(request, BYTES);
    await settle();
    expect([await statusOf(cut), await statusOf(waiting)]).toEqual(["completed", "completed"]);
    expect([...storage.files.values()]).toEqual([BYTES, BYTES]);
  });
});

test("a client that left between the claim and the attempt costs nothing", async () => {
  const site = await connect();
  const claimDownload = repository.claimDownload.bind(repository);
  using _ = spyOn(repository, "claimDownload").mockImplementationOnce(async (...args) => {
    const claimed = await claimDownload(...args);
    site.leave();
    return claimed;
  });
  const id = await pull();
  expect(await downloads.get(id)).toMatchObject({ status: "queued", failures: 0 });
  const back = await connect();
  back.send(back.requests[0]!, BYTES);
  await settle();
  expect(await statusOf(id)).toBe("completed");
});
