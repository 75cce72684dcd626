import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuditRecord } from "../../lib/api/audit.ts";
import type { ClientFileList } from "../../lib/api/files.ts";
import type { ClientRecord } from "../../lib/api/schemas.ts";
import type { SetFileList } from "../../lib/api/sets.ts";
import { formatEvent } from "../../lib/util/server-sent-events.ts";
import { runProgram, Screen } from "../support/operator.ts";
import { downloadRecord } from "../support/records.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * A server that lies to the command line: it wants to reach the operator's terminal and the files of
 * the operator's machine. No real server is there.
 */

const BYTES = Buffer.from("what the server has for the operator\n");
const MD5 = new Bun.CryptoHasher("md5").update(BYTES).digest("hex");
const ID = "01a207d4-bffb-7022-8959-ed1304f66c3b";
const EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\u2066\u200b\x07";
/** What no terminal may get of it. Our own output holds colours, and moves of bars. */
// oxlint-disable-next-line eslint/no-control-regex -- they are what is looked for
const UNFIT = /\x1b\]|\x1b\[2J|[\x07\x7f-\x9f\u200b\u202e\u2066]/;

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
  // Others are not of this API: the whole answer would be refused.
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

/** What is said of an answer that is none: it then tells nothing of the words in it. */
const NO_ANSWER = "not of this version of the API";

/** Commands that show what a server says. */
const COMMANDS: [what: string, args: string[]][] = [
  ["pull", ["pull", "site-1"]],
  ["pull --all", ["pull", "--all"]],
  ["status", ["status", ID]],
  ["status --json", ["status", ID, "--json"]],
  ["downloads", ["downloads"]],
  ["clients", ["clients"]],
  ["ls", ["ls", "site-1"]],
  ["health", ["health"]],
  ["audit", ["audit"]],
  ["an error", ["token", "list"]],
  ["an error in JSON", ["token", "list", "--json"]],
];

const EVIL_SET = {
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

/** The same where a server shows a set. */
const SET_COMMANDS: [what: string, args: string[]][] = [
  ["pull", ["pull", "site-1", "logs/"]],
  ["status", ["status", ID]],
  ["downloads", ["downloads"]],
  ["files", ["files", ID]],
  ["files --json", ["files", ID, "--json"]],
];

interface Lies {
  record?: Record<string, unknown>;
  message?: string;
  content?: () => Response;
}

/** A server that takes every download on and has it completed at once. */
function lyingServer({ record, message = "queued", content }: Lies = {}) {
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

const onPosix = test.skipIf(process.platform === "win32");

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-lying-api-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs a command against it, in a pipe. */
async function fds(lies: Lies, ...args: string[]) {
  await using server = lyingServer(lies);
  return await runProgram({ folder, url: server.url }, ["fds", ...args]);
}

describe("what it says", () => {
  const lies: Lies = {
    message: `queued${EVIL}`,
    record: {
      status: "failed",
      file_path: `a${EVIL}b`,
      error: `no${EVIL}`,
      error_code: "file_unreadable",
    },
  };

  test.each(COMMANDS)("reaches no pipe as anything but text: %s", async (_, args) => {
    const { stdout, stderr } = await fds(lies, ...args);
    expect(stdout + stderr).not.toBe("");
    expect(stdout + stderr).not.toContain(NO_ANSWER);
    expect(stdout + stderr).not.toMatch(UNFIT);
  });

  test.each(SET_COMMANDS)("of a set reaches no pipe as anything but text: %s", async (_, args) => {
    const { stdout, stderr } = await fds({ ...lies, record: EVIL_SET }, ...args);
    expect(stdout).not.toBe("");
    expect(stdout + stderr).not.toContain(NO_ANSWER);
    expect(stdout + stderr).not.toMatch(UNFIT);
  });

  onPosix.each(SET_COMMANDS)(
    "of a set reaches no terminal as anything but text (needs POSIX): %s",
    async (_, args) => {
      await using server = lyingServer({ ...lies, record: EVIL_SET });
      await using screen = new Screen({ folder, url: server.url }, ["fds", ...args]);
      await screen.ended();
      expect(screen.text).not.toBe("");
      expect(screen.raw).not.toMatch(UNFIT);
    },
  );

  test.each([
    ["status", ["status", ID]],
    ["downloads", ["downloads"]],
  ])("is in JSON what it was: %s", async (_, args) => {
    const { stdout } = await fds(lies, ...args, "--json");
    expect(stdout).not.toMatch(UNFIT);
    const answer = JSON.parse(stdout);
    expect(answer.downloads?.[0] ?? answer).toMatchObject({ file_path: `a${EVIL}b` });
  });

  onPosix.each(COMMANDS)(
    "reaches no terminal as anything but text (needs POSIX): %s",
    async (_, args) => {
      await using server = lyingServer(lies);
      await using screen = new Screen({ folder, url: server.url }, ["fds", ...args]);
      await screen.ended();
      expect(screen.text).not.toBe("");
      expect(screen.text).not.toContain(NO_ANSWER);
      expect(screen.raw).not.toMatch(UNFIT);
    },
  );

  onPosix.each([
    ["the guide", ["guide"], "1\n2\n7\n1\n6\n12\n", /Bye/],
    ["fds watch", ["fds", "watch"], "", /1 of 1 clients connected[^]+failed/],
  ] as const)("reaches no terminal by %s (needs POSIX)", async (_, program, keys, shown) => {
    await using server = lyingServer(lies);
    await using screen = new Screen({ folder, url: server.url }, [...program]);
    screen.type(keys);
    await screen.shows(shown);
    expect(screen.raw).not.toMatch(UNFIT);
  });

  test.each<[string, Lies["record"]]>([
    ["an MD5 that is a path", { md5: "/../../x" }],
    ["an MD5 that is none", { md5: `${"0".repeat(31)}\x1b` }],
    ["a SHA-256 that is none", { sha256: "x" }],
    ["a path out of the folder of downloads", { saved_path: "../x" }],
    ["an absolute path", { saved_path: "/etc/passwd" }],
    ["a path for Windows", { saved_path: String.raw`site-1\..\..\x` }],
  ])("is no answer with %s", async (_, record) => {
    const { exitCode, stdout, stderr } = await fds({ record }, "status", ID);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain(NO_ANSWER);
  });
});

describe("fds pull -o", () => {
  let here: string;
  beforeEach(async () => {
    here = join(folder, "here");
    await mkdir(here);
  });

  test("touches no file of another folder", async () => {
    const stranger = join(folder, "x.part");
    await writeFile(stranger, "mine");
    const md5 = "/../../x";
    const content = () => new Response(BYTES, { status: 206, headers: { etag: `"${md5}"` } });
    const lies = { record: { md5 }, content };
    const { exitCode } = await fds(lies, "pull", "site-1", "-o", join(here, "a"));
    expect(exitCode).toBe(1);
    expect(await readFile(stranger, "utf8")).toBe("mine");
  });

  test.each<[string, string[], Lies["record"]]>([
    ["a file where a set was asked for", ["logs/"], {}],
    ["a set where a file was asked for", ["file.txt"], EVIL_SET],
  ])("saves nothing where it pulled %s", async (_, args, record) => {
    const { exitCode, stderr } = await fds({ record }, "pull", "site-1", ...args, "-o", here);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("it pulled something else than what was asked for");
    expect(await readdir(folder, { recursive: true })).toEqual(["here"]);
  });

  test("takes no more bytes than the file has", async () => {
    const endless = () => {
      const body = new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)),
      });
      return new Response(body, { status: 206, headers: { etag: `"${MD5}"` } });
    };
    const outcome = await fds({ content: endless }, "pull", "site-1", "-o", join(here, "a"));
    expect(outcome.exitCode).toBe(1);
    expect(outcome.stderr).toContain("more bytes than the file has");
    for (const name of await readdir(here)) {
      expect((await stat(join(here, name))).size).toBeLessThanOrEqual(BYTES.length);
    }
  });

  test("to standard output fails where other bytes came", async () => {
    const other = Buffer.from(BYTES).fill("x");
    const content = () => new Response(other, { status: 206, headers: { etag: `"${MD5}"` } });
    const { exitCode, stderr } = await fds({ content }, "pull", "site-1", "-o", "-");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("it is not the file");
  });
});
