import { afterEach, beforeEach } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuditRecord } from "../../lib/api/audit.ts";
import type { ClientFileList } from "../../lib/api/files.ts";
import type { ClientRecord } from "../../lib/api/schemas.ts";
import type { SetFileList } from "../../lib/api/sets.ts";
import { formatEvent } from "../../lib/util/server-sent-events.ts";
import { runProgram } from "./operator.ts";
import { downloadRecord } from "./records.ts";

/* A server that sends false or malicious answers to `fds`, such as escape codes for the terminal. */

/** The content of the file that the server offers. */
export const BYTES = Buffer.from("what the server has for the operator\n");
/** The correct MD5 of {@link BYTES}. */
export const MD5 = new Bun.CryptoHasher("md5").update(BYTES).digest("hex");
export const ID = "01a207d4-bffb-7022-8959-ed1304f66c3b";
/** Escape codes for a terminal, and Unicode characters that are invisible or reverse the text's direction. */
export const EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\u2066\u200b\x07";

const RECORD = downloadRecord({
  download_id: ID,
  client_id: "site-1",
  status: "completed",
  total_size: BYTES.length,
  bytes_received: BYTES.length,
  percent: 100,
  md5: MD5,
  saved_path: "site-1/20260102_030405_file_to_download.txt",
  started_at: "2026-01-02T03:04:05.000Z",
  completed_at: "2026-01-02T03:04:06.000Z",
});

const HEALTH = {
  status: "healthy",
  server_id: "one",
  uptime_seconds: 1,
  connected_clients: 1,
  labels: {},
  time_zone: "UTC",
  active_downloads: 0,
} as const;

const EVIL_CLIENT = {
  client_id: "site-1",
  connected: true,
  connected_at: null,
  last_seen_at: null,
  remote_address: EVIL,
  hostname: EVIL,
  platform: EVIL,
  version: EVIL,
  // Malicious labels would violate the API's schema, and `fds` would reject the whole answer.
  labels: {},
  time_zone: "UTC",
  active_downloads: 0,
  revoked_at: null,
  problem: EVIL,
} satisfies ClientRecord;

const EVIL_FILES = {
  client_id: "site-1",
  path: EVIL,
  entries: (["file", "folder"] as const).map((type) => ({
    name: `a${EVIL}`,
    path: `a${EVIL}`,
    type,
    size: null,
    modified_at: "2026-01-02T03:04:05.000Z",
  })),
  next_cursor: null,
  truncated: false,
} satisfies ClientFileList;

const EVIL_RECORD = {
  audit_id: ID,
  at: "2026-01-02T03:04:05.000Z",
  last_at: "2026-01-02T03:04:05.000Z",
  count: 1,
  actor: EVIL,
  address: EVIL,
  action: "denied",
  target: EVIL,
  client_id: EVIL,
  download_id: EVIL,
  file_path: EVIL,
  outcome: EVIL,
} satisfies AuditRecord;

export const EVIL_SET = {
  kind: "set",
  file_path: null,
  paths: [EVIL, "logs/"],
  exclude: [EVIL],
  files_total: 2,
  files_received: 1,
  files_unchanged: 0,
  files_skipped: 1,
} as const;

const EVIL_SET_FILES = {
  files: [
    {
      path: `a${EVIL}`,
      saved_path: null,
      size: 1,
      modified_at: "2026-01-02T03:04:05.000Z",
      md5: null,
      sha256: null,
      status: "skipped",
      error_code: "file_unreadable",
      error: EVIL,
    },
  ],
  next_cursor: null,
} satisfies SetFileList;

/** The parts of the answers that are false. */
export interface Lies {
  record?: Record<string, unknown>;
  message?: string;
  content?: () => Response;
}

/** Starts a server that accepts every download and reports it as completed at once. */
export function lyingServer({ record, message = "queued", content }: Lies = {}) {
  const told = { ...RECORD, ...record };
  const routes: Record<string, () => Response> = {
    "POST /api/download": () =>
      Response.json({ success: true, download_id: ID, status: "queued", message }),
    [`GET /api/downloads/${ID}/events`]: () =>
      new Response(formatEvent("download", told, 1), {
        headers: { "content-type": "text/event-stream" },
      }),
    [`GET /api/downloads/${ID}`]: () => Response.json(told),
    "GET /health": () => Response.json({ ...HEALTH, version: EVIL }),
    "GET /api/clients": () => Response.json({ clients: [EVIL_CLIENT] }),
    "GET /api/clients/site-1/files": () => Response.json(EVIL_FILES),
    "GET /api/audit": () => Response.json({ records: [EVIL_RECORD], next_cursor: EVIL }),
    "GET /api/events": () =>
      new Response(formatEvent("client", EVIL_CLIENT, 1) + formatEvent("download", told, 2), {
        headers: { "content-type": "text/event-stream" },
      }),
    [`GET /api/downloads/${ID}/files`]: () => Response.json(EVIL_SET_FILES),
    "GET /api/downloads": () => Response.json({ downloads: [told], next_cursor: null }),
    [`GET /api/downloads/${ID}/content`]:
      content ?? (() => new Response(BYTES, { status: 206, headers: { etag: `"${MD5}"` } })),
  };
  const http = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ method, url }) =>
      routes[`${method} ${new URL(url).pathname}`]?.() ??
      Response.json({ error: `nothing${EVIL}`, code: "not_found" }, { status: 404 }),
  });
  return {
    url: `http://127.0.0.1:${http.port}`,
    [Symbol.asyncDispose]: () => http.stop(true),
  };
}

/** The working directory of the commands. */
export let folder: string;

/** Runs `fds` against a new lying server, with its output in a pipe. */
export async function fds(lies: Lies, ...args: string[]) {
  await using server = lyingServer(lies);
  return await runProgram({ folder, url: server.url }, ["fds", ...args]);
}

/** Makes a temporary folder for each test of a file. */
export function useFolder(): void {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "fds-lying-api-"));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));
}
