import { afterEach, beforeEach, describe, expect, jest, spyOn, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FdsError } from "../../../lib/protocol/errors.ts";
import type { AuditEntry } from "../../../lib/server/audit/entry.ts";
import { EnrolmentKeys } from "../../../lib/server/clients/enrolment.ts";
import { Clients } from "../../../lib/server/clients/clients.ts";
import { FlowControl } from "../../../lib/server/transfer/flow-control.ts";
import type { Repository } from "../../../lib/server/database/repository.ts";
import { openSqlRepository } from "../../../lib/server/database/sql.ts";
import { WriteAheadLog } from "../../../lib/server/database/write-ahead-log.ts";
import { Downloads } from "../../../lib/server/downloads/downloads.ts";
import { Metrics } from "../../../lib/server/metrics/metrics.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { FakeSite } from "../../support/fake-site.ts";
import { MemoryStorage } from "../../support/memory-storage.ts";
import { Random } from "../../support/random.ts";
import { NO_JOBS, order } from "../../support/downloads.ts";

/*
 * Downloads with a real database, a disk in memory and a client without a network, on a clock that
 * tests move: what happens when two things happen at once.
 */

const BYTES = new Random(7).bytes(10_000);
const SITE = "scripted";

let folder: string;
let repository: Repository;
let storage: MemoryStorage;
let clients: Clients;
let downloads: Downloads;
let log: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-downloads-"));
  repository = await openSqlRepository(`sqlite://${folder}/state.db`);
  // The log of the database needs no real flush either.
  spyOn(WriteAheadLog.prototype, "flush").mockResolvedValue(undefined);
  storage = new MemoryStorage();
  log = [];
  jest.useFakeTimers();
  begin();
});
afterEach(async () => {
  jest.useRealTimers();
  await downloads.stop();
  await clients.close();
  await repository.close();
  await rm(folder, { recursive: true, force: true });
  jest.restoreAllMocks();
  expect(storage.removedOpen).toEqual([]);
});

/** What the audit was told. */
const audited: AuditEntry[] = [];

/** What a server's start does, with the rows and parts that are there. */
function begin(quota: number | null = null): void {
  const logger = new Logger({ level: "info", format: "json", write: (line) => log.push(line) });
  const metrics = new Metrics();
  clients = new Clients({
    repository,
    enrolToken: null,
    enrolmentKeys: new EnrolmentKeys(repository.access),
    chunkSize: 64 * 1024,
    version: "9.9.9",
    metrics,
    audit: { record: (entry) => void audited.push(entry) },
    logger,
    onRegistered: () => downloads.clientRegistered(SITE),
    onChange: () => undefined,
    onLabelled: () => undefined,
  });
  downloads = new Downloads({
    repository,
    storage,
    clients,
    credit: new FlowControl(64 * 1024 * 1024),
    limits: { total: 5, perClient: 5 },
    minFreeDisk: 0,
    quotas: { file: null, perClient: null, total: quota },
    onChange: () => undefined,
    noticeMissing: async () => 0,
    jobs: NO_JOBS,
    metrics,
    audit: { record: (entry) => void audited.push(entry) },
    logger,
  });
}

/** Lets everything happen that waits for no clock. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 2_000; turn++) await Promise.resolve();
}

async function connect(): Promise<FakeSite> {
  const site = new FakeSite(clients);
  await settle();
  return site;
}

async function pull(): Promise<string> {
  const { downloadId } = await downloads.create(order(SITE, "a.bin"));
  await settle();
  return downloadId;
}

const statusOf = async (id: string) => (await downloads.get(id)).status;

test("a file comes whole", async () => {
  const site = await connect();
  const id = await pull();
  site.send(site.requests[0]!, BYTES);
  await settle();
  expect(await downloads.get(id)).toMatchObject({ status: "completed", attempts: 1 });
  expect([...storage.files.values()]).toEqual([BYTES]);
  expect(site.told.at(-1)).toMatchObject({ type: "done" });
});

test("a new client that connects twice at once is there, by its last connection", async () => {
  const [first, second] = [new FakeSite(clients), new FakeSite(clients)];
  await settle();
  const id = await pull();
  expect(first.requests).toEqual([]);
  second.send(second.requests[0]!, BYTES);
  await settle();
  expect(await statusOf(id)).toBe("completed");
});

test("a download waits and says why, whenever a machine shows that another one took its id", async () => {
  for (let turns = 0; turns < 200; turns++) {
    const first = await connect();
    const id = await pull();
    first.send(first.requests.at(-1)!, BYTES, 1);
    await settle();
    const second = new FakeSite(clients);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    first.answer();
    await settle();
    const { problem } = (await downloads.get(id)) as { problem?: { code: string } };
    // Before it was asked, it has nothing to answer.
    const isTold = clients.problemOf(SITE) !== null;
    expect([turns, problem?.code]).toEqual([turns, isTold ? "id_in_use" : undefined]);
    if (!isTold) expect(turns).toBeLessThan(50);
    await downloads.cancel(id);
    await settle();
    second.leave();
    first.leave();
    await settle();
    await clients.close();
    await downloads.stop();
    begin();
  }
});

test("two files that begin at once do not pass a quota together", async () => {
  begin(BYTES.length * 1.5);
  const site = await connect();
  const ids = [await pull(), await pull()];
  for (const request of site.requests) site.send(request, BYTES, 1);
  await settle();
  const [first, second] = await Promise.all(ids.map((id) => downloads.get(id)));
  expect(first).toMatchObject({ status: "downloading", source: { totalSize: BYTES.length } });
  expect(second).toMatchObject({ status: "queued", problem: { code: "storage_full" } });
  site.sendRest(site.requests[0]!, BYTES, 1);
  await settle();
  expect(await statusOf(ids[0]!)).toBe("completed");
});

test("a client whose file cannot be published hears that it is over, and is asked again", async () => {
  const site = await connect();
  await pull();
  using publish = spyOn(storage, "publish").mockRejectedValueOnce(
    new FdsError("storage_error", "no"),
  );
  site.send(site.requests[0]!, BYTES);
  await settle();
  expect(publish).toHaveBeenCalledTimes(1);
  const { stream } = site.requests[0]!;
  expect(site.told.at(-1)).toMatchObject({ type: "cancel", stream });
  jest.advanceTimersByTime(1_000);
  await settle();
  expect(site.requests[1]).toMatchObject({ offset: BYTES.length });
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

test("a retry is named by what it retries, which does not end a second time", async () => {
  const id = await pull();
  await downloads.cancel(id);
  const ends = () => audited.filter(({ action }) => action === "download_end").length;
  const before = ends();
  const first = await downloads.retry(id);
  expect(await downloads.get(id)).toMatchObject({ retriedAs: first.downloadId });
  const second = await downloads.retry(id);
  expect(await downloads.get(id)).toMatchObject({
    status: "cancelled",
    retriedAs: second.downloadId,
  });
  expect(ends()).toBe(before);
});

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
    const site = await connect();
    const id = await pull();
    const naming = Promise.withResolvers<void>();
    storage.publishing = naming.promise;
    site.send(site.requests[0]!, BYTES);
    await settle();
    expect(await statusOf(id)).toBe("verifying");
    const cancelling = downloads.cancel(id).catch((error: unknown) => error);
    await settle();
    naming.resolve();
    expect(await cancelling).toMatchObject({ code: "download_already_ended" });
    expect([await statusOf(id), storage.files.size]).toEqual(["completed", 1]);
  });

  test("that comes while the file gets its name wins if it gets none", async () => {
    const site = await connect();
    const id = await pull();
    const naming = Promise.withResolvers<void>();
    storage.publishing = naming.promise;
    site.send(site.requests[0]!, BYTES);
    await settle();
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
    const site = await connect();
    const id = await pull();
    const naming = Promise.withResolvers<void>();
    storage.publishing = naming.promise;
    site.send(site.requests[0]!, BYTES);
    await settle();
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
