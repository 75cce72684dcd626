import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ApiClient } from "../../lib/cli/rest/api-client.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { spawn } from "../support/spawn.ts";

setDefaultTimeout(TEST_LIMIT);

const DEMO = join(import.meta.dir, "../../lib/cli/demo.ts");

/** A folder whose .env would break a demo that read it. */
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-demo-"));
  const settings = ["API_TOKEN=x", "SERVER_PORT=1", "DOWNLOADS_DIR=/dev/null", "CHUNK_SIZE=none"];
  await writeFile(join(folder, ".env"), settings.join("\n"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A running demo, and its output so far. */
class Demo implements AsyncDisposable {
  readonly process;
  stdout = "";
  private readonly reading: Promise<void>;

  constructor(...flags: string[]) {
    this.process = spawn([process.execPath, "--no-orphans", DEMO, ...flags], {
      cwd: folder,
      // A proxy that cannot be reached, so that a demo that used it would fail.
      env: { HTTP_PROXY: "http://127.0.0.1:1", http_proxy: "http://127.0.0.1:1" },
      stdout: "pipe",
      stderr: "pipe",
    });
    this.reading = this.read();
  }

  /** Waits until the demo has ended. @returns its exit code and its output */
  async result(): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    const stderr = await this.process.stderr.text();
    await this.reading;
    return { exitCode: await this.process.exited, stdout: this.stdout, stderr };
  }

  async says(pattern: RegExp): Promise<string> {
    const found = await waitFor(() => {
      if (this.process.exitCode !== null) throw new Error(`it ended:\n${this.stdout}`);
      return pattern.exec(this.stdout);
    }, `the demo to say ${pattern}`);
    return found[1] ?? found[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill();
    await this.process.exited;
  }

  private async read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const piece of this.process.stdout) {
      this.stdout += decoder.decode(piece, { stream: true });
    }
  }
}

/** Waits until a demo with --keep has finished its pulls. @returns its folder, and the API of its server */
async function keptDemo(demo: Demo) {
  const ownFolder = dirname(await demo.says(/^Logs +(.+)$/m));
  await demo.says(/Running until Ctrl-C/);
  const { server, api_token } = JSON.parse(await readFile(join(ownFolder, "demo.json"), "utf8"));
  return { ownFolder, api: new ApiClient({ server, token: api_token }) };
}

describe("the demo", () => {
  test("pulls every file at once, verifies each and leaves nothing", async () => {
    await using demo = new Demo("--size", "2MiB", "--clients", "3");
    const { exitCode, stdout, stderr } = await demo.result();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).not.toMatch(/[\p{Cc}--\n]/v);
    const rows = stdout.match(/^restaurant-00\d +2\.0 MiB +\d.* [0-9a-f]{32} +✓ verified$/gm);
    expect(rows).toHaveLength(3);
    expect(stdout).toContain("✓ all 3 files arrived whole  6.0 MiB in ");
    expect(await readdir(folder)).toEqual([".env"]);
  });

  test("with --keep goes on until it is ended, and leaves nothing then", async () => {
    await using demo = new Demo("--size", "64KiB", "--clients", "2", "--keep");
    const { ownFolder, api } = await keptDemo(demo);
    expect((await api.clients()).map(({ connected }) => connected)).toEqual([true, true]);
    const { origin, hash } = new URL(await demo.says(/^Dashboard +(\S+)$/m));
    const entered = await fetch(`${origin}/api/session`, {
      method: "POST",
      body: JSON.stringify({ code: hash.replace("#code=", "") }),
    });
    expect(entered.status).toBe(200);
    for (const name of ["server", "restaurant-001", "restaurant-002"]) {
      expect(await readFile(join(ownFolder, `${name}.log`), "utf8")).toInclude("registered");
    }
    demo.process.kill("SIGINT");
    const { exitCode, stderr } = await demo.result();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(existsSync(ownFolder)).toBe(false);
    await expect(api.health()).rejects.toThrow("no server answers");
  });

  test("can run beside another one", async () => {
    await using kept = new Demo("--size", "64KiB", "--clients", "1", "--keep");
    const { ownFolder, api } = await keptDemo(kept);
    await using demo = new Demo("--size", "64KiB", "--clients", "1");
    expect((await demo.result()).exitCode).toBe(0);
    expect(existsSync(ownFolder)).toBe(true);
    expect(await api.health()).toMatchObject({ status: "healthy", connected_clients: 1 });
  });

  test.skipIf(process.platform === "win32")("can be ended at any time", async () => {
    await using demo = new Demo("--size", "64MiB", "--clients", "2");
    const address = await demo.says(/listens on (\S+)/);
    await demo.says(/Pulling/);
    demo.process.kill("SIGTERM");
    const { exitCode, stderr } = await demo.result();
    expect({ exitCode, stderr }).toEqual({ exitCode: 143, stderr: "ended by SIGTERM\n" });
    await expect(new ApiClient({ server: address }).health()).rejects.toThrow("no server answers");
  });

  test.each([
    [["--size", "no"], 2, /^error: --size is "no", expected a size .*\n$/],
    [["--keeep"], 2, /^error: unknown flag "--keeep", expected one of .*\n$/],
    [["--size", "900000GiB"], 1, /^error: free some disk space .*\n$/],
  ])("%j exits %d and says why", async (flags, code, message) => {
    await using demo = new Demo(...flags);
    const { exitCode, stderr } = await demo.result();
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(code);
  });

  test("--help shows the flags", async () => {
    await using demo = new Demo("--help");
    const { exitCode, stdout } = await demo.result();
    expect(exitCode).toBe(0);
    for (const flag of ["--size", "--clients", "--keep"]) expect(stdout).toContain(flag);
  });
});
