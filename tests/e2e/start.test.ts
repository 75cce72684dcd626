import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ON_POSTGRES, ON_S3 } from "../support/backend.ts";
import { Program } from "../support/programs.ts";
import { System } from "../support/system.ts";
import { spawn, spawnSync } from "../support/spawn.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* How the programs start, and how they report that they cannot start. */

/** A remark for test names; empty if the tests can run a program as a user without a name. */
const lacksUserNames = canUnshare() ? "" : " (needs unshare with user namespaces, on Linux)";

function canUnshare(): boolean {
  if (!Bun.which("unshare")) return false;
  return spawnSync(["unshare", "--user", "--map-user=12345", "true"]).exitCode === 0;
}

const PROJECT = join(import.meta.dir, "../..");

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-start-"));
  await mkdir(join(folder, "root"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs a program that is expected to end by itself. @returns its exit code and output */
async function run(file: string, flags: string[], env: Record<string, string> = {}) {
  const child = spawn(
    [process.execPath, "--no-env-file", "--no-orphans", join(PROJECT, file), ...flags],
    {
      cwd: folder,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      // Time limit in ms, which ends a program that starts although it should refuse.
      timeout: 20_000,
    },
  );
  const [stdout, stderr] = [new Response(child.stdout).text(), new Response(child.stderr).text()];
  return { code: await child.exited, stdout: await stdout, stderr: await stderr };
}

/** Expects that a program has ended with this code, and with one line of error as its only output. */
async function expectRefusal(
  outcome: Awaited<ReturnType<typeof run>>,
  code: number,
  message: RegExp,
): Promise<void> {
  expect(outcome.stderr).toMatch(message);
  expect(outcome.stderr.trimEnd()).not.toContain("\n");
  expect([outcome.code, outcome.stdout]).toEqual([code, ""]);
}

describe("the server", () => {
  const TOKENS = { API_TOKEN: "a-secret-api-token", ENROLL_TOKEN: "a-secret-enrol-token" };

  test.each<[string[], Record<string, string>, RegExp]>([
    [["--host", "0.0.0.0"], {}, /--host is "0\.0\.0\.0".*no API_TOKEN/],
    [["--host", "0.0.0.0"], { API_TOKEN: "a" }, /--host is "0\.0\.0\.0".*no ENROLL_TOKEN/],
    [[], { SERVER_HOST: "192.168.0.1" }, /SERVER_HOST is "192\.168\.0\.1".*loopback/],
    [["--host", "::"], {}, /--host is "::"/],
    [["--port", "70000"], {}, /--port is "70000", expected a whole number from 0 to 65535/],
    [["--port", "-1"], {}, /--port/],
    [["--port"], {}, /"--port" has no value/],
    [["--prot", "80"], {}, /unknown flag "--prot"/],
    [["extra"], {}, /unexpected word "extra"/],
    [[], { CHUNK_SIZE: "1KiB" }, /CHUNK_SIZE is "1KiB", expected a size from 4\.0 KiB to 8\.0 MiB/],
    [[], { MAX_ACTIVE_DOWNLOADS: "none" }, /MAX_ACTIVE_DOWNLOADS is "none"/],
    [[], { RECEIVE_BUDGET: "4KiB" }, /RECEIVE_BUDGET is "4KiB"/],
    [[], { LOG_LEVEL: "loud" }, /LOG_LEVEL is "loud", expected one of/],
    [[], { TLS_CERT: "/nowhere.pem" }, /TLS_CERT is "\/nowhere\.pem"/],
    [[], { DATABASE_URL: "mysql://me:hunter2@db/fds" }, /DATABASE_URL is "mysql:\/\/…", expected/],
    [[], { API_TOKEN: "two words" }, /API_TOKEN has a wrong value/],
    [["--host", "0.0.0.0"], { ...TOKENS, API_TOKEN: "x" }, /API_TOKEN is too short.*16 characters/],
    [["--host", "::"], { ...TOKENS, ENROLL_TOKEN: "hunter2" }, /ENROLL_TOKEN is too short/],
    [
      ["--host", "0.0.0.0"],
      { ...TOKENS, ENROLL_TOKEN: TOKENS.API_TOKEN },
      /ENROLL_TOKEN is the same as API_TOKEN, expected another one/,
    ],
  ])("refuses %j with %j: exit 2 and one line", async (flags, env, message) => {
    const outcome = await run("server.ts", ["--port", "0", ...flags], env);
    await expectRefusal(outcome, 2, message);
    expect(outcome.stderr).not.toMatch(/hunter2|two words|a-secret/);
    // A wrong setting is found before anything is written to the disk.
    if (!("DATABASE_URL" in env)) expect(await readdir(folder)).toEqual(["root"]);
  });

  test.each([
    [
      "database",
      { DATABASE_URL: "postgres://me:hunter2@127.0.0.1:1/fds" },
      /cannot open the database "postgres:\/\/127\.0\.0\.1:1\/fds": /,
    ],
    [
      "storage",
      {
        STORAGE_URL: "s3://files",
        S3_ENDPOINT: "http://127.0.0.1:1",
        AWS_ACCESS_KEY_ID: "me",
        AWS_SECRET_ACCESS_KEY: "hunter2",
      },
      /cannot use the bucket: S3: /,
    ],
  ])("waits for a %s that is away, says so once, and ends when told to", async (_, env, why) => {
    const argv = ["server.ts", "--port", "0"];
    await using program = await Program.start({ name: "server", folder, argv, env, ready: why });
    program.signal("SIGTERM");
    expect(await program.ended()).toBe(0);
    const lines = program.log();
    expect(lines).toHaveLength(1);
    expect(lines[0]?.message).toStartWith("the start waits: ");
    expect(JSON.stringify(lines)).not.toContain("hunter2");
  });

  test("says what it takes", async () => {
    const { code, stdout, stderr } = await run("server.ts", ["--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    for (const word of ["--host", "--port", "--downloads-dir", "API_TOKEN", "RECEIVE_BUDGET"]) {
      expect(stdout).toContain(word);
    }
  });

  test("without a token listens on this machine only, says so, and lets everybody in", async () => {
    await using system = await System.start({ API_TOKEN: "", ENROLL_TOKEN: "" });
    expect(system.url).toStartWith("http://127.0.0.1:");
    await system.server.waitForLine(/no API_TOKEN is set/);
    for (const Authorization of ["", "Bearer anything", "Basic x"]) {
      const answer = await fetch(`${system.url}/api/clients`, { headers: { Authorization } });
      expect(answer.status).toBe(200);
    }
  });

  test.each([
    // 127.1 is an address of this machine, too, but not in a form that the server recognizes as loopback.
    ["127.1", true],
    ["127.0.0.1", false],
  ])("on %s without TLS warns that others can read along: %p", async (host, warns) => {
    await using server = await Program.start({
      name: "server",
      folder,
      argv: ["server.ts", "--host", host, "--port", "0"],
      env: TOKENS,
      ready: /listening on/,
    });
    server.signal("SIGTERM");
    await server.ended();
    const warnings = server.log().filter(({ level }) => level === "warn");
    expect(warnings.map(({ message }) => message)).toEqual(
      warns ? [expect.stringContaining("no TLS_CERT is set: tokens, keys and files can be")] : [],
    );
  });

  test("says when its port is taken: exit 1 and one line", async () => {
    await using system = await System.start();
    const { port } = new URL(system.url);
    const outcome = await run("server.ts", ["--port", port], TOKENS);
    await expectRefusal(
      outcome,
      1,
      new RegExp(`^error: port ${port} is in use: stop .*, or pass another --port\n$`),
    );
  });

  test("says when its address is not one of this machine: exit 1 and one line", async () => {
    const outcome = await run("server.ts", ["--host", "203.0.113.7", "--port", "0"], TOKENS);
    await expectRefusal(outcome, 1, /^error: pass another --host: "203\.0\.113\.7" is no address/);
  });

  const ONE_FOLDER = ON_POSTGRES || ON_S3;
  test.skipIf(ONE_FOLDER !== "")(
    `says when its folder is taken by another server: exit 1 and one line${ONE_FOLDER}`,
    async () => {
      await using system = await System.start();
      const downloads = join(system.folder, "downloads");
      const outcome = await run("server.ts", ["--port", "0", "--downloads-dir", downloads], TOKENS);
      await expectRefusal(outcome, 1, /another server already uses ".*downloads"/);
    },
  );

  test("says when its folder is a file: exit 1 and one line", async () => {
    await Bun.write(join(folder, "file"), "");
    const outcome = await run("server.ts", ["--port", "0", "--downloads-dir", "file"], TOKENS);
    await expectRefusal(outcome, 1, /make "file" a folder that this user can write to/);
  });
});

describe("the client", () => {
  test.each<[string[], Record<string, string>, RegExp]>([
    [[], {}, /CLIENT_ID is missing, pass --id/],
    [["--id", "../x"], {}, /--id is "\.\.\/x"/],
    [["--id", "a"], {}, /no folder to serve: pass --root/],
    [["--id", "a", "--root", "nowhere"], {}, /cannot serve "nowhere"/],
    [["--id", "a", "--root", "root", "--server", "ftp://x"], {}, /--server is "ftp:\/\/x"/],
    [["--id", "a", "--root", "root", "--chunk-size", "16MiB"], {}, /--chunk-size is "16MiB"/],
    [["--id", "a", "--root", "root", "--rot", "x"], {}, /unknown flag "--rot"/],
    [["--id", "a", "--root", "root", "--deny", "{priv"], {}, /--deny or CLIENT_DENY .*"\{priv": /],
    [["--id", "a", "--root", "root"], { CLIENT_DENY: "priv " }, /"priv ": write "priv"/],
    [["--id", "a", "--root", "root", "--allow", "~/logs"], {}, /"~\/logs": .* no folder .* served/],
    [
      ["--id", "a", "--root", "root", "--server", "https://files.example.com"],
      { HTTPS_PROXY: "socks5://me:hunter2@x" },
      /HTTPS_PROXY has a wrong value/,
    ],
  ])("refuses %j with %j: exit 2 and one line", async (flags, env, message) => {
    const outcome = await run("client.ts", flags, env);
    await expectRefusal(outcome, 2, message);
    expect(outcome.stderr).not.toContain("hunter2");
    expect(await readdir(folder)).toEqual(["root"]);
  });

  test.skipIf(lacksUserNames !== "")(
    `starts for a user without a home${lacksUserNames}`,
    async () => {
      const program = [
        process.execPath,
        "--no-env-file",
        "--no-orphans",
        join(PROJECT, "client.ts"),
      ];
      const flags = ["--id", "a", "--root", "root", "--state-dir", "state"];
      // Runs the client as a numeric user without a name, as containers do.
      const child = spawn(
        ["env", "-u", "HOME", "unshare", "--user", "--map-user=12345", ...program, ...flags],
        {
          cwd: folder,
          env: { SERVER_URL: "http://127.0.0.1:1" },
          stdio: ["ignore", "pipe", "pipe"],
        },
      );
      const lines = child.stdout.getReader();
      expect(new TextDecoder().decode((await lines.read()).value)).toContain("ECONNREFUSED");
      child.kill();
      expect(await child.exited).toBe(0);
      expect(await new Response(child.stderr).text()).toBe("");
    },
  );

  test("says when its key is no key: exit 1 and one line", async () => {
    await Bun.write(join(folder, "state/key"), "not a key");
    const flags = ["--id", "a", "--root", "root", "--state-dir", "state"];
    await expectRefusal(await run("client.ts", flags), 1, /"state\/key" holds no key/);
  });

  test("says what it takes", async () => {
    const { code, stdout, stderr } = await run("client.ts", ["--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    for (const word of ["--id", "--server", "--root", "--state-dir", "ENROLL_TOKEN"]) {
      expect(stdout).toContain(word);
    }
  });
});
