import { describe, expect, test } from "bun:test";
import { ClientRecord, DownloadRecord } from "../../../lib/api/schemas.ts";
import type { Download, Source } from "../../../lib/server/download.ts";
import { clientRecord, downloadRecord } from "../../../lib/server/records/records.ts";
import { MD5, NOW, source, states } from "../../support/downloads.ts";

const all = Object.entries<Download>(states);

describe.each(all)("the record of a %s download", (status, download) => {
  const record = downloadRecord(download);

  test("is what the document promises, field by field", () => {
    expect(DownloadRecord.strict().parse(record)).toEqual(record);
    expect(record).toMatchObject({
      status: status as DownloadRecord["status"],
      created_at: "2023-11-14T22:13:15.000Z",
    });
  });

  test("tells of a verified file only when there is one", () => {
    const verified = status === "verifying" || status === "completed";
    expect(record.md5).toBe(verified ? MD5 : null);
    expect(record.bytes_received).toBe(verified ? 1000 : 400);
    // While a download is verifying, its row names the future path, which must not be shown yet.
    expect(record.saved_path).toBe(status === "completed" ? "restaurant-001/a.txt" : null);
  });

  test("has an end only when it has ended", () => {
    const hasEnded = ["completed", "failed", "cancelled"].includes(status);
    expect(record.completed_at !== null).toBe(hasEnded);
    expect(record.error_code).toBe(status === "failed" ? "file_not_found" : null);
    expect(record.error).toBe(status === "failed" ? "met file_not_found" : null);
  });
});

test("a download that was never begun has nulls for what is not known", () => {
  const fresh = { ...states.queued, startedAt: null, source: null, durableOffset: 0, attempts: 0 };
  expect(downloadRecord(fresh)).toMatchObject({
    total_size: null,
    bytes_received: 0,
    chunk_size: null,
    chunks_received: 0,
    total_chunks: null,
    percent: null,
    bytes_per_second: null,
    eta_seconds: null,
    started_at: null,
  });
});

test("a download that waits for another try says why", () => {
  const problem = { code: "storage_full", message: "the disk is full" } as const;
  expect(downloadRecord({ ...states.queued, problem })).toMatchObject({
    status: "queued",
    error: "the disk is full",
    error_code: "storage_full",
  });
});

describe("while bytes flow", () => {
  test("what this process knows is fresher than the row", () => {
    const progress = { bytesReceived: 600, bytesOnWire: 450, bytesPerSecond: 99.6 };
    expect(downloadRecord(states.downloading, progress)).toMatchObject({
      bytes_received: 600,
      bytes_on_wire: 450,
      percent: 60,
      bytes_per_second: 100,
      eta_seconds: 4,
    });
  });

  test("a rate that is not known, or none, promises no end", () => {
    for (const bytesPerSecond of [null, 0]) {
      const progress = { bytesReceived: 600, bytesOnWire: 450, bytesPerSecond };
      const record = downloadRecord(states.downloading, progress);
      expect(record.eta_seconds).toBeNull();
      expect(record.bytes_per_second).toBe(bytesPerSecond);
    }
  });

  test("progress says nothing of a download that does not run any more", () => {
    const progress = { bytesReceived: 600, bytesOnWire: 450, bytesPerSecond: 100 };
    expect(downloadRecord(states.queued, progress)).toMatchObject({
      bytes_received: 400,
      bytes_on_wire: 300,
      bytes_per_second: null,
      eta_seconds: null,
    });
  });
});

test.each([
  // Columns: total bytes, chunk size and received bytes, then the expected percent, chunks received and total
  // chunks.
  [0, 4096, 0, 100, 0, 0],
  [1, 4096, 0, 0, 0, 1],
  [1, 4096, 1, 100, 1, 1],
  [4096, 4096, 4096, 100, 1, 1],
  [4097, 4096, 4096, 99.9, 1, 2],
  [4097, 4096, 4097, 100, 2, 2],
  [3_000_000, 1_000_000, 1_000_000, 33.3, 1, 3],
  [1_000_000, 4096, 999_999, 99.9, 244, 245],
])("%d bytes in chunks of %d, %d here: %d %, %d of %d chunks", (...row) => {
  const [totalSize, chunkSize, durableOffset, percent, chunks_received, total_chunks] = row;
  const it: Source = { ...source, totalSize, chunkSize };
  const record = downloadRecord({ ...states.downloading, source: it, durableOffset });
  expect(record).toMatchObject({ percent, chunks_received, total_chunks });
});

test("the rate of a completed download is its average, also when it took no time", () => {
  const at = { startedAt: NOW, completedAt: NOW + 500 };
  expect(downloadRecord({ ...states.completed, ...at }).bytes_per_second).toBe(2000);
  const instant = { startedAt: NOW, completedAt: NOW };
  expect(downloadRecord({ ...states.completed, ...instant }).bytes_per_second).toBe(1_000_000);
});

test("the record of a client is what the document promises, and holds no key", () => {
  const record = clientRecord(
    {
      clientId: "restaurant-001",
      keyHash: "a".repeat(64),
      enrolledAt: NOW,
      revokedAt: NOW + 2,
      features: [],
      reportedTimeZone: "Europe/Berlin",
      labels: { region: "west" },
      timeZone: null,
      hostname: "till",
      platform: "linux x64",
      version: "1.0.0",
      remoteAddress: "::1",
      connectedAt: NOW,
      lastSeenAt: NOW + 1,
      connected: true,
      problem: "two machines use this id",
    },
    2,
  );
  expect(ClientRecord.strict().parse(record)).toEqual({
    client_id: "restaurant-001",
    connected: true,
    connected_at: "2023-11-14T22:13:20.000Z",
    last_seen_at: "2023-11-14T22:13:20.001Z",
    remote_address: "::1",
    hostname: "till",
    platform: "linux x64",
    version: "1.0.0",
    labels: { region: "west" },
    time_zone: "Europe/Berlin",
    active_downloads: 2,
    revoked_at: "2023-11-14T22:13:20.002Z",
    problem: "two machines use this id",
  });
});
