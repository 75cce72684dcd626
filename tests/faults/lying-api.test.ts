import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  EVIL,
  EVIL_SET,
  fds,
  folder,
  ID,
  type Lies,
  lyingServer,
  useFolder,
} from "../support/lying-api.ts";
import { Screen } from "../support/operator.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useFolder();

/*
 * A server that lies to the command line. It attacks the operator's terminal, and files on the operator's
 * machine. No real server runs.
 */

/** Matches output that could attack a terminal. Colours and cursor moves of progress bars are allowed. */
// oxlint-disable-next-line eslint/no-control-regex -- the pattern matches control characters
const UNFIT = /\x1b\]|\x1b\[2J|[\x07\x7f-\x9f\u200b\u202e\u2066]/;

/**
 * Part of the error message for an answer that violates the API's schema. The message never shows the
 * server's texts.
 */
const NO_ANSWER = "not of this version of the API";

/** Commands that print texts from the server. */
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

/** Commands that print texts from the server about a set. */
const SET_COMMANDS: [what: string, args: string[]][] = [
  ["pull", ["pull", "site-1", "logs/"]],
  ["status", ["status", ID]],
  ["downloads", ["downloads"]],
  ["files", ["files", ID]],
  ["files --json", ["files", ID, "--json"]],
];

const onPosix = test.skipIf(process.platform === "win32");

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
