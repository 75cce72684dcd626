import type { DownloadErrorCode } from "../../lib/protocol/errors.ts";
import type {
  Cancelled,
  Completed,
  Downloading,
  Failed,
  Order,
  Queued,
  Source,
  Verifying,
} from "../../lib/server/download.ts";
import type { JobHooks } from "../../lib/server/downloads/job-hooks.ts";

export const NOW = 1_700_000_000_000;
export const EPOCH = 4;
export const MD5 = "d41d8cd98f00b204e9800998ecf8427e";

export const source: Source = {
  identity: { size: 1000, mtime_ns: "1", ctime_ns: "2", inode: "3", device: "4" },
  totalSize: 1000,
  chunkSize: 4096,
};

/** The functions of jobs that downloads call, for a server without jobs. No download of a job can start. */
export const NO_JOBS: JobHooks = {
  mostOf: async () => 0,
  onChange: () => undefined,
  reopen: (_, retry) => retry(),
};

/** Makes the problem of a failed download, with an error code and a message. */
export const problem = (code: DownloadErrorCode) => ({ code, message: `met ${code}` });

/** Makes an order for one file. @param fields replace the defaults */
export function order(clientId: string, filePath: string, fields: Partial<Order> = {}): Order {
  return {
    clientId,
    filePath,
    set: null,
    checksum: "md5",
    rateLimit: null,
    jobId: null,
    localTime: null,
    ...fields,
  };
}

/** Fields that a download has in every state. */
const common = {
  ...order("restaurant-001", "file_to_download.txt"),
  downloadId: "0198c0de-0000-7000-8000-000000000000",
  createdAt: NOW - 5000,
  attempts: 4,
  epoch: EPOCH,
  restarts: 0,
  failures: 0,
  bytesOnWire: 300,
  files: null,
  unmatched: null,
  isHeld: false,
  revision: 9,
};
const startedAt = NOW - 4000;
const ended = { startedAt, completedAt: NOW - 1, source };

const queued: Queued = {
  ...common,
  status: "queued",
  startedAt,
  source,
  durableOffset: 400,
  notBefore: NOW,
  problem: null,
};
const downloading: Downloading = {
  ...common,
  status: "downloading",
  startedAt,
  source,
  durableOffset: 400,
};
const verifying: Verifying = {
  ...common,
  status: "verifying",
  startedAt,
  source,
  digest: MD5,
  savedPath: "restaurant-001/a.txt",
};
const completed: Completed = {
  ...verifying,
  ...ended,
  status: "completed",
  storedBytes: source.totalSize,
  removedAt: null,
};
const failed: Failed = {
  ...common,
  ...ended,
  status: "failed",
  durableOffset: 400,
  problem: problem("file_not_found"),
  retriedAs: null,
};
const cancelled: Cancelled = {
  ...common,
  ...ended,
  status: "cancelled",
  durableOffset: 400,
  retriedAs: null,
};
/** A download in each of the states, all with the same id and epoch. */
export const states = { queued, downloading, verifying, completed, failed, cancelled };

/** Returns a queued download as the repository's claim changes it: `downloading`, with the next epoch. */
export function claim(download: Queued, now: number): Downloading {
  const { notBefore: _, problem: __, ...rest } = download;
  return {
    ...rest,
    status: "downloading",
    startedAt: download.startedAt ?? now,
    attempts: download.attempts + 1,
    epoch: download.epoch + 1,
  };
}
