import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser } from "playwright-core";
import packageJson from "../../package.json";
import { launchBrowser, NO_BROWSER } from "../support/browser.ts";
import { Dashboard } from "../support/dashboard.ts";
import { runProgram, Screen } from "../support/operator.ts";
import { ScriptedClient } from "../support/scripted-client.ts";
import { ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Clients that are older than the server are reported as outdated, so that somebody updates them. */

let system: System;
let old: ScriptedClient;
let newer: ScriptedClient;

beforeAll(async () => {
  system = await System.start();
  const register = (client_id: string, version: string) =>
    ScriptedClient.register(system.url, { client_id, version, enroll_token: ENROLL_TOKEN });
  old = await register("site-old", "0.9.12");
  newer = await register("site-newer", "99.0.0");
  await system.startClient({ id: "site-same" });
});
afterAll(async () => {
  await old?.[Symbol.asyncDispose]();
  await newer?.[Symbol.asyncDispose]();
  await system?.[Symbol.asyncDispose]();
});

test("fds clients marks them", async () => {
  await using screen = new Screen(system, ["fds", "clients"], { columns: 120 });
  const shown = await screen.shows(/site-same[^]*\n/);
  expect(shown).toMatch(/site-old .*0\.9\.12 ↑ outdated/);
  expect(shown).toMatch(new RegExp(`site-same .*${packageJson.version} `));
  expect(shown.match(/outdated/g)).toHaveLength(1);
  expect(await screen.ended()).toBe(0);
});

test("fds clients marks them on a narrow terminal, too", async () => {
  await using screen = new Screen(system, ["fds", "clients"], { columns: 60 });
  expect(await screen.shows(/site-same[^]*\n/)).toMatch(/site-old .*0\.9\.12 ↑ outdated/);
});

test("fds clients --outdated lists them alone, and in a pipe nothing else is different", async () => {
  const all = await runProgram(system, ["fds", "clients"]);
  const lines = all.stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(3);
  const outdated = await runProgram(system, ["fds", "clients", "--outdated"]);
  expect(lines.filter((line) => line.startsWith("site-old\t"))).toEqual([
    outdated.stdout.trimEnd(),
  ]);
  expect(outdated.stdout.split("\t")).toContain("0.9.12");
  const { stdout } = await runProgram(system, ["fds", "clients", "--outdated", "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({ clients: [{ client_id: "site-old" }] });
});

describe.skipIf(NO_BROWSER !== "")(`the page${NO_BROWSER}`, () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await launchBrowser()));
  afterAll(() => browser?.close());

  test("marks them", async () => {
    await Dashboard.visit(browser, system.url, async (dashboard) => {
      await dashboard.signIn();
      const mark = dashboard.site("site-old").getByText("v0.9.12, older than the server");
      await mark.waitFor();
      expect(await dashboard.page.getByText("older than the server").count()).toBe(1);
    });
  });
});
