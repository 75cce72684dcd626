import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { DownloadAccepted, DownloadRecord } from "../../lib/api/schemas.ts";
import { ApiClient } from "../../lib/cli/rest/api-client.ts";
import { ROWS_IN_A_FILE } from "../support/backend.ts";
import { bypassProxyForLoopback } from "../support/no-proxy.ts";
import { DOWNLOAD_ERROR_CODES, meaningOf } from "../../lib/protocol/errors.ts";
import { FreshCopy } from "../support/fresh-copy.ts";
import { codeBlocks, codeSpans, section, tableRows } from "../support/markdown.ts";
import { md5OfFile } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Runs the commands of README.md and lib/server/README.md in a shell, in a fresh copy of the project, and
 * checks the systemd units of lib/server and lib/client with systemd.
 */

const read = (page: string) => readFileSync(join(import.meta.dir, "../..", page), "utf8");
const README = read("README.md");
const SERVER_PAGE = read("lib/server/README.md");
const plain = (cell: string) => cell.replaceAll("`", "");

const missing = ["sh", "curl", "grep", "cut"].filter((tool) => !Bun.which(tool));
const needs = missing.length > 0 ? ` (needs ${missing.join(", ")}: install them)` : "";
const SQLITE = Bun.which("sqlite3") ? "" : " (needs sqlite3: install it)";

describe.skipIf(needs !== "")(`README.md shows what works${needs}`, () => {
  let copy: FreshCopy;
  let url = "";
  let api: ApiClient;
  let token = "";
  const [install = "", server = "", client = "", pull = "", pullMany = ""] = codeBlocks(
    section(README, "Try it by hand"),
    "sh",
  );
  const [night = "", schedule = ""] = codeBlocks(section(README, "Every night by itself"), "sh");
  const [ask = "", take = ""] = codeBlocks(section(README, "Pull a file by curl"), "sh");

  beforeAll(async () => {
    bypassProxyForLoopback(process.env);
    copy = await FreshCopy.create();
    // A small file is enough here. The demo's test covers the size of 100 MiB.
    await copy.run(install.replace("run setup", "run setup --size 1MiB"));
    copy.set({ SERVER_PORT: "0", MIN_FREE_DISK: "1MiB" });
    const { line } = await copy.start(server, /listening on/);
    url = /http:[\w/.:]+/.exec(line)![0];
    copy.set({ SERVER_URL: url });
    await copy.start(client, /registered as restaurant-001/);
    const env = await Bun.file(join(copy.folder, ".env")).text();
    token = /^API_TOKEN=(.+)$/m.exec(env)![1]!;
    api = new ApiClient({ server: url, token });
    // Makes curl print the HTTP status after each response.
    await Bun.write(join(copy.folder, ".curlrc"), 'silent\nwrite-out = "\\n%{http_code}\\n"\n');
  });
  afterAll(async () => {
    await copy?.[Symbol.asyncDispose]();
  });

  test("from the first command to the verified file", async () => {
    const sums = await Bun.file(join(copy.folder, "checksums.txt")).text();
    expect(sums).toContain("test-files/restaurant-001/file_to_download.txt");
    const output = await copy.run(pull);
    expect(output.split("\n")[0]).toMatch(/^restaurant-001/);
    expect(output).toMatch(/^ok\t/m);
  });

  test("many files at once", async () => {
    const output = await copy.run(pullMany);
    expect(output).toContain("file_to_download.txt");
    expect(output).toContain("completed");
  });

  test("a night in 30 seconds", async () => {
    const output = await copy.run(night);
    expect(output).toMatch(/^restaurant-002 +✓ received +◷ late +✓ received$/m);
    expect(output).toMatch(/^restaurant-003 +✓ received +✓ received +✗ missing$/m);
    expect(output).toEndWith("1 missing of 3  restaurant-003\n");
  });

  test("a schedule of one's own", async () => {
    expect(await copy.run(schedule)).toMatch(/^restaurant-001\t/m);
    expect(await api.schedules()).toMatchObject({
      schedules: [{ cron: "30 2 * * *", due: { at: "04:00" }, keep: { days: 90 } }],
    });
  });

  test("calls by curl", async () => {
    const [answer, ...others] = await curl(ask);
    expect([answer!.status, others]).toEqual([202, []]);
    const { download_id } = DownloadAccepted.parse(JSON.parse(answer!.text));
    await api.watchDownload(download_id, () => {});

    const [login] = ask.split("\n");
    const [record, content] = await curl(
      `${login}\n${take.replace(/ID=\S+/, `ID=${download_id}`)}`,
    );
    expect(record).toMatchObject({ status: 200 });
    const { status, md5, saved_path } = DownloadRecord.parse(JSON.parse(record!.text));
    expect([status, content!.status]).toEqual(["completed", 200]);
    expect(await md5OfFile(join(copy.folder, basename(saved_path!)))).toBe(md5!);
  });

  /** Runs a script from the page, with the address of this test's server instead of the default one. */
  async function curl(script: string): Promise<{ status: number; text: string }[]> {
    const output = await copy.run(script.replaceAll("http://localhost:8080", url));
    return [...output.matchAll(/^(.*)\n(\d{3})\n/gm)].map(([, text, status]) => ({
      status: Number(status),
      text: text!,
    }));
  }

  /** For each row of the page's table of problems, a check that causes the problem. */
  const TROUBLES: Record<string, (words: string) => Promise<void>> = {
    "port 8080 is in use": async (words) => {
      const { port } = new URL(url);
      const refused = copy.run(`SERVER_PORT=${port} DOWNLOADS_DIR=other ${server}`);
      await expect(refused).rejects.toThrow(words.replace("8080", port));
    },
    'another server already uses "…"': async (words) => {
      await expect(copy.run(server)).rejects.toThrow(words.split("…")[0]);
    },
    "404 client_not_found": async () => {
      const asked = api.startDownload({ client_id: "nobody" });
      await expect(asked).rejects.toMatchObject({ status: 404, code: "client_not_found" });
    },
    "the download stays queued": async () => {
      const away = await copy.start("bun run client --id restaurant-002", /registered as/);
      await away.end();
      const { download_id } = await api.startDownload({ client_id: "restaurant-002" });
      expect(await api.download(download_id)).toMatchObject({ status: "queued", error: null });
    },
    "401 unauthorized": async () => {
      const stranger = new ApiClient({ server: url, token: "another" });
      await expect(stranger.clients()).rejects.toMatchObject({ status: 401, code: "unauthorized" });
    },
    "the server refused: enrolment_required": async (words) => {
      await mkdir(join(copy.folder, "test-files/new"));
      await copy.start("env ENROLL_TOKEN= bun run client --id new", new RegExp(words));
    },
    "the server refused: key_mismatch": async (words) => {
      await copy.start(`${client.trim()} --state-dir lost`, new RegExp(words));
    },
    "the server refused: client_revoked": async (words) => {
      await api.revokeClient("restaurant-002");
      await copy.start("bun run client --id restaurant-002", new RegExp(words));
    },
    "two machines use this id": async (words) => {
      await copy.start(client, /registered as restaurant-001/);
      await waitFor(async () => {
        const known = await api.clients();
        const one = known.find(({ client_id }) => client_id === "restaurant-001");
        return one?.problem?.startsWith(words);
      }, "it to be told");
    },
    "cannot use the bucket: S3: …": async (words) => {
      // No S3 server listens on port 1.
      const bucket = "STORAGE_URL=s3://files S3_ENDPOINT=http://127.0.0.1:1 S3_REGION=here";
      const key = "AWS_ACCESS_KEY_ID=id AWS_SECRET_ACCESS_KEY=secret";
      const start = `env SERVER_PORT=0 DOWNLOADS_DIR=other ${bucket} ${key} ${server}`;
      await copy.start(start, new RegExp(`the start waits: ${words.split("…")[0]}`));
    },
    "a webhook is not reached: …": async (words) => {
      await using system = await System.start();
      const events = ["client.online" as const];
      const nowhere = { name: "nowhere", url: "https://nowhere.invalid/" };
      await system.api.webhooks.create({ ...nowhere, events });
      await system.startClient();
      await system.server.waitForLine(new RegExp(`^${words.split("…")[0]}`));
    },
    storage_full: async () => {
      await using full = await System.start({
        // Stores files on the disk, because a bucket has no known free space.
        ...ROWS_IN_A_FILE,
        MIN_FREE_DISK: "1000000GiB",
        ENROLL_TOKEN: "",
      });
      await full.startClient({ env: { ENROLL_TOKEN: "" } });
      await expect(full.pull("a")).rejects.toMatchObject({ status: 507, code: "storage_full" });
    },
    // Other tests cause these two errors: tests/e2e/source.test.ts and tests/faults/lying-source.test.ts.
    // Here only the codes are checked.
    checksum_mismatch: async (words) => expectFailureCode(words),
    source_changed: async (words) => expectFailureCode(words),
    access_denied: async (error_code) => {
      const asked = { client_id: "restaurant-001", file_path: "/etc/passwd" };
      const { download_id } = await api.startDownload(asked);
      const record = await api.watchDownload(download_id, () => {});
      expect(record).toMatchObject({ status: "failed", error_code });
    },
  };

  function expectFailureCode(code: string): void {
    const found = DOWNLOAD_ERROR_CODES.find((known) => known === code);
    expect(found && meaningOf(found).retry).toBe("restart");
  }

  describe("what goes wrong is told in these words", () => {
    const rows = tableRows(section(SERVER_PAGE, "When something is wrong"));
    test.each(rows.map(([words]) => [plain(words!)]))("%s", async (words) => {
      expect(Object.keys(TROUBLES)).toContain(words);
      await TROUBLES[words]!(words);
    });
    test("and nothing else is looked for", () => {
      expect(rows.map(([words]) => plain(words!))).toEqual(Object.keys(TROUBLES));
    });
  });

  test.skipIf(SQLITE !== "")(`a backup while the server runs${SQLITE}`, async () => {
    const command = codeSpans(SERVER_PAGE).find((span) => span.startsWith("sqlite3 "))!;
    await copy.run(command);
    using backup = new Database(join(copy.folder, "copy.db"), { readonly: true });
    const { downloads } = await api.downloads();
    expect(backup.query("SELECT count(*) AS count FROM downloads").get()).toEqual({
      count: downloads.length,
    });
  });
});
