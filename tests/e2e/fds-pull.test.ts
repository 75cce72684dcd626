import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type DownloadRecord } from "../../lib/api/schemas.ts";
import {
  away,
  fds,
  fields,
  FILE,
  json,
  oneSiteAndOneAway,
  original,
  saved,
  SIZE,
  system,
  useCommandLine,
} from "../support/command-line.ts";
import { startProgram } from "../support/operator.ts";
import { Proxy } from "../support/proxy.ts";
import { versionOf } from "../support/sources.ts";
import { spawnSync } from "../support/spawn.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* `fds pull`: files that are pulled to the server, and saved on this machine. */

useCommandLine(oneSiteAndOneAway);

describe("fds pull", () => {
  test("brings a file to the server", async () => {
    const outcome = await fds(["pull", "site-1"]);
    expect(outcome.exitCode).toBe(0);
    const [[status, client, id = "", size, md5, path] = []] = fields(outcome);
    expect([status, client, size, md5]).toEqual([
      "completed",
      "site-1",
      String(SIZE),
      original.md5,
    ]);
    expect(outcome.stderr).toContain(id);
    expect(outcome.stderr).toContain("100%");
    expect(outcome.stderr).not.toContain("\x1b");
    expect(await versionOf(join(system.folder, "downloads", path ?? ""))).toEqual(original);
  });

  test("with --json prints the record, and nothing else", async () => {
    const record = await json("pull", "site-1", FILE);
    expect(record).toEqual(await system.api.download(record.download_id));
  });

  test("from all that are connected, at once, and says who is left out", async () => {
    const { downloads, left_out } = await json("pull", "--all");
    expect(downloads).toMatchObject([{ client_id: "site-1", md5: original.md5 }]);
    expect(left_out).toEqual(["away"]);
    const { exitCode, stderr } = await fds(["pull", "--all"]);
    expect(exitCode).toBe(0);
    expect(stderr).toContain(
      "1 of 2 clients is not connected and left out: away (--if-offline wait",
    );
    expect(stderr).toContain("1 of 1  100%");
  });

  test("from all, waits for the others where it is told to", async () => {
    const result = fds(["pull", "--all", "--if-offline", "wait", "--json"]);
    await away.restart();
    const { exitCode, stdout } = await result;
    away.signal("SIGTERM");
    await away.ended();
    expect(exitCode).toBe(0);
    const { downloads, left_out } = JSON.parse(stdout);
    expect(downloads.map(({ client_id }: DownloadRecord) => client_id).toSorted()).toEqual([
      "away",
      "site-1",
    ]);
    expect(left_out).toEqual([]);
  });

  test("from all, fails for those that are away where that matters", async () => {
    const args = ["pull", "--all", "--if-offline", "fail"];
    const { exitCode, stdout, stderr } = await fds(args);
    expect(exitCode).toBe(1);
    expect(fields({ exitCode, stdout, stderr }).map(([status]) => status)).toEqual(["completed"]);
    expect(stderr).toMatch(/^error: 1 of 2 files verified, .+, 1 did not arrive, away: .+$/m);
    const answer = JSON.parse((await fds([...args, "--json"])).stdout);
    expect(answer).toMatchObject({ refused: [{ client_id: "away" }], left_out: [] });
  });

  test("of a file that is not there fails, and says why", async () => {
    const { exitCode, stdout, stderr } = await fds(["pull", "site-1", "nothing.txt", "--json"]);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ status: "failed", error_code: "file_not_found" });
    expect(stderr).toMatch(/^error: site-1: failed: .+\n$/);
  });

  test.each([
    ["a client that nobody knows", ["nobody"], /"nobody"/],
    ["a client that is away, where that matters", ["away", "--if-offline", "fail"], /"away"/],
  ])("of %s fails", async (_, args, said) => {
    const { exitCode, stdout, stderr } = await fds(["pull", ...args]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toMatch(said);
  });

  test("survives a restart of the server, and goes on watching", async () => {
    const child = startProgram(system, ["fds", "pull", "away"]);
    const decoder = new TextDecoder();
    let said = "";
    let restarted = false;
    for await (const piece of child.stderr) {
      said += decoder.decode(piece, { stream: true });
      // Restarts the server only after "queued" was printed. Before, the answer to the request could be lost.
      if (restarted || !/queued$/m.test(said)) continue;
      restarted = true;
      system.server.signal("SIGKILL");
      await system.restartServer();
      await away.restart();
    }
    expect(await child.exited).toBe(0);
    expect(await child.stdout.text()).toContain(original.md5);
    away.signal("SIGTERM");
    await away.ended();
  });

  test("that a signal ends leaves the download running, and says which", async () => {
    const child = startProgram(system, ["fds", "pull", "away"]);
    const decoder = new TextDecoder();
    let said = "";
    for await (const piece of child.stderr) {
      said += decoder.decode(piece, { stream: true });
      if (/queued$/m.test(said)) child.kill("SIGINT");
    }
    expect(await child.exited).toBe(130);
    const id = /it goes on at the server: (\S+)/.exec(said)?.[1] ?? "";
    expect((await system.api.download(id)).status).toBe("queued");
    await system.api.cancel(id);
  });
});

describe("fds pull -o", () => {
  test("saves the file under a name, and nothing beside it", async () => {
    const path = join(saved, "here.bin");
    expect(await json("pull", "site-1", "-o", path)).toMatchObject({ local_path: path });
    expect(await versionOf(path)).toEqual(original);
    expect(await readdir(saved)).toEqual(["here.bin"]);
  });

  test("saves it in a folder, under its own name; the same once more is no harm", async () => {
    for (let round = 0; round < 2; round++) {
      expect(await fds(["pull", "site-1", "--output", saved])).toMatchObject({ exitCode: 0 });
      expect(await versionOf(join(saved, FILE))).toEqual(original);
    }
  });

  test("never overwrites another file", async () => {
    const path = join(saved, "mine.txt");
    await writeFile(path, "mine");
    const { exitCode, stderr } = await fds(["pull", "site-1", "-o", path]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`"${path}"`);
    expect(await readFile(path, "utf8")).toBe("mine");
    expect(await readdir(saved)).toEqual(["mine.txt"]);
  });

  test.skipIf(process.platform === "win32")(
    "refuses what is no file, before it pulls anything (needs POSIX)",
    async () => {
      const fifo = join(saved, "fifo");
      spawnSync(["mkfifo", fifo]);
      const before = await json("downloads");
      for (const path of ["/dev/null", fifo]) {
        const { exitCode, stdout, stderr } = await fds(["pull", "site-1", "-o", path]);
        expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
        expect(stderr).toBe(
          `error: pass another -o, or "-" for standard output: "${path}" is no regular file\n`,
        );
      }
      expect(await json("downloads")).toEqual(before);
    },
  );

  test("takes the longest name that a disk has", async () => {
    const path = join(saved, "x".repeat(255));
    expect(await fds(["pull", "site-1", "-o", path])).toMatchObject({ exitCode: 0 });
    expect(await versionOf(path)).toEqual(original);
  });

  test("says at once that there is no such folder", async () => {
    const { exitCode, stderr } = await fds(["pull", "site-1", "-o", join(saved, "no/file")]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: make the folder ".+" first.*\n$/);
  });

  test("goes on where it broke off, over restarts of the server and of itself", async () => {
    await using proxy = await Proxy.listen(system.port);
    // The proxy is slow, so that fds reads all bytes before the cut: a TCP reset discards bytes that were not
    // read.
    proxy.shape({ bytesPerSecond: 2 * SIZE });
    const path = join(saved, "resumed.bin");
    // The cut comes while the file is being saved, because the answers to all other calls have fewer bytes
    // than this.
    const broken = proxy.after("down", SIZE / 2, () => {
      system.server.signal("SIGKILL");
      proxy.cut("rst");
    });
    const result = fds(["pull", "site-1", "-o", path, "--server", proxy.url]);
    await broken;
    await system.restartServer();
    expect(await result).toMatchObject({ exitCode: 0 });
    expect(await versionOf(path)).toEqual(original);
    expect(await readdir(saved)).toEqual(["resumed.bin"]);
    expect(proxy.carried.down).toBeLessThan(SIZE * 1.3);
  });
});

describe("fds pull -o -", () => {
  test("writes the file to standard output, and all else to standard error", async () => {
    const child = startProgram(system, ["fds", "pull", "site-1", "-o", "-"]);
    const [bytes, stderr] = await Promise.all([child.stdout.bytes(), child.stderr.text()]);
    expect(await child.exited).toBe(0);
    expect(Buffer.compare(bytes, await readFile(system.source(FILE)))).toBe(0);
    expect(stderr).toContain(`completed\tsite-1`);
    expect(stderr).toContain("100%");
  });

  test("ends quietly when nobody reads any more", async () => {
    const child = startProgram(system, ["fds", "pull", "site-1", "-o", "-"]);
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    expect(value?.length).toBeGreaterThan(0);
    await reader.cancel();
    expect(await child.stderr.text()).not.toContain("error");
    expect([0, 141]).toContain((await child.exited) ?? -1);
  });

  test("is refused where JSON is wanted too", async () => {
    const { exitCode, stdout, stderr } = await fds(["pull", "site-1", "-o", "-", "--json"]);
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ code: "usage_error" });
    expect(stderr).toMatch(/^error: --output is "-".+\n$/);
  });
});
