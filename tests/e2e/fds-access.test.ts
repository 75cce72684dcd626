import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { runProgram } from "../support/operator.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * The commands of `fds` for access (tokens, sign-in codes, enrolment keys, clients), as an admin's scripts
 * use them.
 */

let system: System;
beforeAll(async () => {
  system = await System.start();
});
afterAll(() => system?.[Symbol.asyncDispose]());

const fds = (args: string[], env?: Record<string, string>) =>
  runProgram(system, ["fds", ...args], { env });

describe("fds token", () => {
  test("makes a token that works, once shown, until it is revoked", async () => {
    const made = await fds(["token", "create", "ci", "--role", "viewer", "--expires", "1d"]);
    expect(made).toMatchObject({ exitCode: 0, stderr: "" });
    const env = { API_TOKEN: made.stdout.trim() };
    expect(env.API_TOKEN).toMatch(/^fds_token_[\w-]{43}$/);
    expect((await fds(["clients"], env)).exitCode).toBe(0);
    const refused = await fds(["token", "list"], env);
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(refused.stderr).toContain('Use a token of the role "admin"');

    const list = await fds(["token", "list"]);
    expect(list.stdout).toStartWith("ci\tviewer\tall\tgood\t20");
    expect(list.stdout).not.toContain(env.API_TOKEN);
    expect((await fds(["token", "revoke", "ci"])).stdout).toContain("\trevoked\t");
    expect((await fds(["clients"], env)).stderr).toContain("The API token was revoked");
    expect((await fds(["token", "revoke", "nobody"])).stderr).toContain("no token of this name");
  });

  test.each([
    [["token"], "ACTION"],
    [["token", "make", "x"], '"make"'],
    [["token", "create"], "NAME"],
    [["token", "create", "API_TOKEN", "--role", "viewer"], '"API_TOKEN"'],
    [["token", "create", "x"], "--role"],
    [["token", "create", "x", "--role", "king"], '"king"'],
    [["token", "create", "x", "--role", "viewer", "--site", "a/b"], '"a/b"'],
    [["token", "create", "x", "--role", "viewer", "--expires", "soon"], '"soon"'],
    [["token", "list", "x"], '"x"'],
  ])("%j: exit 2 and one line that names what is wrong", async (args, named) => {
    const { exitCode, stdout, stderr } = await fds(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(/^error: .+\n$/);
    expect(stderr).toContain(named);
  });
});
