import { afterEach, beforeEach, expect, jest, spyOn } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuditEntry } from "../../lib/server/audit/entry.ts";
import { EnrolmentKeys } from "../../lib/server/clients/enrolment.ts";
import { Clients } from "../../lib/server/clients/clients.ts";
import { FlowControl } from "../../lib/server/transfer/flow-control.ts";
import type { Repository } from "../../lib/server/database/repository.ts";
import { openSqlRepository } from "../../lib/server/database/sql.ts";
import { WriteAheadLog } from "../../lib/server/database/write-ahead-log.ts";
import { Downloads } from "../../lib/server/downloads/downloads.ts";
import { Metrics } from "../../lib/server/metrics/metrics.ts";
import { Logger } from "../../lib/util/logger.ts";
import { FakeSite } from "./fake-site.ts";
import { MemoryStorage } from "./memory-storage.ts";
import { Random } from "./random.ts";
import { NO_JOBS, order } from "./downloads.ts";

/*
 * Downloads with a real SQLite database, a storage in memory and a client without a network, on a fake clock.
 */

/** The content of the client's file. */
export const BYTES = new Random(7).bytes(10_000);
/** Id of the client that all downloads ask. */
export const SITE = "scripted";

let folder: string;
export let repository: Repository;
export let storage: MemoryStorage;
export let clients: Clients;
export let downloads: Downloads;
export let log: string[];

/** Entries written to the audit log. */
export const audited: AuditEntry[] = [];

/**
 * Sets up the server's objects as a start does, with the rows and parts that the previous run left.
 * @param quota the maximum of stored bytes in total; null: no limit
 */
export function begin(quota: number | null = null): void {
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

/** Waits until everything is done that does not wait for a timer. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 2_000; turn++) await Promise.resolve();
}

/** Connects the fake client and registers it with the server. */
export async function connect(): Promise<FakeSite> {
  const site = new FakeSite(clients);
  await settle();
  return site;
}

/** Asks for the client's file. @returns the id of the download */
export async function pull(): Promise<string> {
  const { downloadId } = await downloads.create(order(SITE, "a.bin"));
  await settle();
  return downloadId;
}

export const statusOf = async (id: string) => (await downloads.get(id)).status;

/** Sets up a server before each test of a file, and afterwards expects that no open part was removed. */
export function useDownloads(): void {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "fds-downloads-"));
    repository = await openSqlRepository(`sqlite://${folder}/state.db`);
    // Flushes of SQLite's log are skipped, because no test here depends on them.
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
}
