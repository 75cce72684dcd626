import type { FileIdentity } from "../../../lib/protocol/identity.ts";
import type { Client } from "../../../lib/server/database/repository.ts";
import {
  newDownload,
  type Cancelled,
  type Completed,
  type Download,
  type Downloading,
  type Failed,
  type Queued,
  type Source,
  type Verifying,
} from "../../../lib/server/download.ts";
import { order } from "../../support/downloads.ts";

/** Returns the UUIDv7 that is the `n`-th in the order of ids. */
export function id(n: number): string {
  return `0198c0de-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
}

export function queued(n: number, fields: Partial<Queued> = {}): Queued {
  return { ...newDownload(id(n), order("site-1", "logs/till.log"), 1_000), ...fields };
}

/** The identity of a file, with the most extreme values of each field. */
const identity: FileIdentity = {
  size: Number.MAX_SAFE_INTEGER,
  mtime_ns: "-1700000000123456789",
  ctime_ns: "1700000000123456789",
  inode: "18446744073709551615",
  device: "0",
};
export const source: Source = {
  identity,
  totalSize: Number.MAX_SAFE_INTEGER,
  chunkSize: 8 * 1024 * 1024,
};
const problem = { code: "file_unreadable", message: 'the "disk" says: I/O error\nтак' } as const;

/** Fields that all states share. No two numbers are equal, so that swapped fields are noticed. */
const common = {
  downloadId: id(1),
  clientId: "site-1",
  filePath: "~/отчёт 'a\"; DROP TABLE downloads; --/ü.log",
  set: null,
  checksum: "sha256",
  rateLimit: Number.MAX_SAFE_INTEGER - 2,
  jobId: null,
  localTime: null,
  createdAt: 1_700_000_000_001,
  attempts: 2,
  epoch: 3,
  restarts: 1,
  failures: 4,
  bytesOnWire: 5,
  files: null,
  unmatched: null,
  isHeld: false,
  revision: 0,
} as const;
const startedAt = 1_700_000_000_002;
const completedAt = 1_700_000_000_003;
const durableOffset = Number.MAX_SAFE_INTEGER - 1;
const notBefore = 1_700_000_000_004;
const digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const savedPath = "site-1/20250101_000000_ü.log";

export const verifying: Verifying = {
  ...common,
  status: "verifying",
  startedAt,
  source,
  digest,
  savedPath,
};
export const completed: Completed = {
  ...verifying,
  status: "completed",
  completedAt,
  storedBytes: Number.MAX_SAFE_INTEGER - 3,
  removedAt: null,
};
export const downloading: Downloading = {
  ...common,
  status: "downloading",
  startedAt,
  source,
  durableOffset,
};
const ended = { ...downloading, completedAt, retriedAs: null };
export const failed: Failed = { ...ended, status: "failed", problem };
export const cancelled: Cancelled = { ...ended, status: "cancelled" };
const waiting: Queued = { ...downloading, status: "queued", notBefore, problem };

/** Every state of one download, with its optional fields filled and empty. */
export const STATES: [what: string, download: Download][] = [
  ["queued, not tried yet", { ...waiting, startedAt: null, source: null, problem: null }],
  ["queued after a problem", waiting],
  ["downloading, the file not opened yet", { ...downloading, source: null, durableOffset: 0 }],
  ["downloading", downloading],
  ["verifying", verifying],
  ["completed", completed],
  ["completed without what a pattern names", { ...completed, unmatched: [0, 99] }],
  ["completed and held", { ...completed, isHeld: true }],
  ["completed and removed", { ...completed, removedAt: 1_700_000_000_005 }],
  ["failed", failed],
  ["failed before the file was opened", { ...failed, source: null, durableOffset: 0 }],
  ["failed and retried", { ...failed, retriedAs: id(2) }],
  ["cancelled", cancelled],
  ["cancelled before it was started", { ...cancelled, startedAt: null, source: null }],
];

export function client(clientId: string, fields: Partial<Client> = {}): Client {
  return {
    clientId,
    keyHash: "a".repeat(64),
    enrolledAt: null,
    revokedAt: null,
    features: ["list"],
    hostname: "till",
    platform: "linux",
    version: "1.0.0",
    reportedTimeZone: "Europe/Berlin",
    labels: {},
    timeZone: null,
    remoteAddress: "::1",
    connectedAt: 1_700_000_000_001,
    lastSeenAt: 1_700_000_000_002,
    ...fields,
  };
}
