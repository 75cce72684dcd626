import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { SignInCode } from "../../lib/api/schemas.ts";
import { PAGE_SIZE } from "../../lib/dashboard/listing.ts";
import { ROWS_IN_A_FILE } from "../support/backend.ts";
import { launchBrowser, NO_BROWSER, type Visit } from "../support/browser.ts";
import { Dashboard, fillDatabase } from "../support/dashboard.ts";
import { CALL_FAILED } from "../support/dashboard-stage.ts";
import type { Program } from "../support/programs.ts";
import { ScriptedClient } from "../support/scripted-client.ts";
import { md5OfFile, type Version, writeRandom } from "../support/sources.ts";
import { API_TOKEN, ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

/*
 * The dashboard in a real browser, before a real server and a real client. Each test is a visit of
 * its own; after each, nothing may have gone wrong in the page, and nothing may have been asked of
 * anybody but the server.
 */

setDefaultTimeout(TEST_LIMIT);

const MIB = 1024 * 1024;
const SITES = 200;
const DOWNLOADS = 10_000;
/** A script that would run if a name were taken for HTML. */
const EVIL_HTML = `<img src=x onerror="alert(1)">'.txt`;
/** Would read "photo_exe.jpg" where directions of writing are followed. */
const EVIL_DIRECTION = "photo_\u202Egpj.exe";

let browser: Browser;
let system: System;
let siteOne: Program;
let large: Version;
let dashboard: Dashboard;
let visit: Visit;
let page: Page;
/** Errors that a test expects. */
let expected: RegExp | null;

// Not in the group below: Bun lists the hooks of a skipped group as tests without a name.
beforeAll(async () => {
  if (NO_BROWSER !== "") return;
  browser = await launchBrowser();
  system = await System.start();
  large = await writeRandom(system.source("large.bin"), 100 * MIB);
  await writeRandom(system.source("small.bin"), 1000);
  await writeRandom(system.source(EVIL_HTML), 10);
  await writeRandom(system.source(EVIL_DIRECTION), 10);
  siteOne = await system.startClient({ id: "site-1" });
});
afterAll(async () => {
  await browser?.close();
  await system?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  expected = null;
});

describe.skipIf(NO_BROWSER !== "")(`the dashboard${NO_BROWSER}`, () => {
  /** A visit, held to account at its end. */
  const visiting = (run: () => Promise<void>, options = {}, url = system.url) =>
    Dashboard.visit(
      browser,
      url,
      async (visited) => {
        dashboard = visited;
        ({ page, visit } = visited);
        await run();
      },
      { expected, ...options },
    );

  async function signIn(token = API_TOKEN): Promise<void> {
    await dashboard.signIn(token);
    await site("site-1").waitFor();
  }

  async function isLive(): Promise<void> {
    await dashboard.isLive();
    await site("site-1").waitFor();
  }

  const site = (id: string): Locator => dashboard.site(id);
  const row = (id: string): Locator => dashboard.row(id);

  async function start(clientId: string, path: string): Promise<Locator> {
    await page.getByLabel("Site", { exact: true }).selectOption(clientId);
    await page.getByLabel("File", { exact: true }).fill(path);
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.url().endsWith("/api/download")),
      page.getByRole("button", { name: "Start" }).click(),
    ]);
    const { download_id } = await answer.json();
    await row(download_id).waitFor();
    return row(download_id);
  }

  const hasStatus = (found: Locator, status: string) =>
    found.getByText(status, { exact: true }).waitFor();

  test("lets in who has the token, and out who signs out", async () => {
    expected = CALL_FAILED;
    await visiting(async () => {
      await page.goto(system.url);
      await page.getByLabel("API token").fill("wrong");
      await page.keyboard.press("Enter");
      await page.getByText("The API token is not the right one").waitFor();
      expect(await visit.violations()).toEqual([]);
      await page.getByLabel("API token").fill(API_TOKEN);
      await page.keyboard.press("Enter");
      await isLive();
      await page.reload();
      await isLive();
      await dashboard.signOut();
      expect(await page.context().cookies()).toEqual([]);
    });
  });

  test("lets in by a link, once, and takes its code out of the address", async () => {
    const response = await fetch(`${system.url}/api/session/code`, {
      method: "POST",
      headers: { Authorization: `Bearer ${API_TOKEN}` },
    });
    const { code } = SignInCode.parse(await response.json());
    await visiting(async () => {
      await page.goto(`${system.url}/#code=${code}`);
      await isLive();
      expect(page.url()).toBe(`${system.url}/`);
    });
    expected = CALL_FAILED;
    await visiting(async () => {
      await page.goto(`${system.url}/#code=${code}`);
      await page.getByText("This sign-in link was used or is too old").waitFor();
      expect(page.url()).toBe(`${system.url}/`);
    });
  });

  test("asks who is there when the session has ended", async () => {
    expected = CALL_FAILED;
    await visiting(async () => {
      await signIn();
      // With this call, so that no other one tells the page before.
      await page.route("**/api/download", async (route) => {
        await page.context().clearCookies();
        await route.continue();
      });
      await page.getByRole("button", { name: "Start" }).click();
      await page.getByLabel("API token").waitFor();
      expect(await page.locator(".site").count()).toBe(0);
    });
  });

  test("pulls 100 MiB under a bar that fills, and saves the very file", async () => {
    await visiting(async () => {
      await signIn();
      await page.evaluate(`
        seen = [];
        new MutationObserver(() => {
          const bar = document.querySelector(".download progress");
          if (bar) seen.push(bar.value);
        }).observe(document.getElementById("download-lists"), {
          subtree: true, childList: true, attributes: true, characterData: true,
        });`);
      const found = await start("site-1", "large.bin");
      await hasStatus(found, "Completed");
      const seen: number[] = await page.evaluate("seen");
      expect(seen.at(-1)).toBe(100);
      expect(seen.some((value) => value > 0 && value < 100)).toBe(true);
      expect(seen).toEqual(seen.toSorted((a, b) => a - b));
      expect(await found.locator(".digest").textContent()).toBe(large.md5);

      const [saving] = await Promise.all([
        page.waitForEvent("download"),
        found.getByRole("link", { name: "Save large.bin" }).click(),
      ]);
      expect(saving.suggestedFilename()).toEndWith("_large.bin");
      expect(await md5OfFile(await saving.path())).toBe(large.md5);
    });
  });

  test("says why a file cannot be saved that was removed from the server's disk", async () => {
    expected = CALL_FAILED;
    const id = await system.pull("small.bin");
    const { saved_path } = await system.ended(id);
    await rm(join(system.folder, "downloads", saved_path ?? ""));
    await visiting(async () => {
      await signIn();
      const saved: string[] = [];
      page.on("download", (saving) => saved.push(saving.suggestedFilename()));
      await row(id).getByRole("link", { name: "Save small.bin" }).click();
      await page.getByText("The file was removed or changed on the server's disk").waitFor();
      expect(saved).toEqual([]);
    });
  });

  test("offers a viewer nothing that the server would refuse", async () => {
    const { token } = await system.api.createToken({ name: "eye", role: "viewer" });
    const failed = await system.pull("missing.bin");
    await system.ended(failed);
    await visiting(async () => {
      await signIn(token);
      await hasStatus(row(failed), "Failed");
      for (const name of ["Start", /^Retry/, /^Pull/]) {
        expect(await page.getByRole("button", { name }).count()).toBe(0);
      }
      await dashboard.signOut();
      await signIn();
      await row(failed)
        .getByRole("button", { name: /^Retry/ })
        .waitFor();
    });
  });

  test("copies a checksum", async () => {
    const permissions = ["clipboard-read", "clipboard-write"];
    await visiting(
      async () => {
        await signIn();
        const found = await start("site-1", "small.bin");
        await hasStatus(found, "Completed");
        await found.getByRole("button", { name: "Copy the checksum of small.bin" }).click();
        await page.getByText("The checksum is copied").waitFor();
        expect(await page.evaluate<string>("navigator.clipboard.readText()")).toBe(
          await md5OfFile(system.source("small.bin")),
        );
      },
      { permissions },
    );
  });

  test("tells how fast a download may go, cancels it, and tries it again", async () => {
    const slow = { client_id: "site-slow", enroll_token: ENROLL_TOKEN };
    await using other = await ScriptedClient.register(system.url, slow);
    await visiting(async () => {
      await signIn();
      const found = await start("site-slow", "endless.bin");
      other.start(await other.next("download_request"), new Uint8Array(MIB));
      await hasStatus(found, "Downloading");
      const { downloads } = await system.api.downloads({ client_id: "site-slow" });
      await system.api.change(downloads[0]!.download_id, { rate_limit: 2 * MIB });
      await found.getByText("2.0 MiB/s at most").waitFor();
      await found.getByRole("button", { name: "Cancel endless.bin" }).click();
      await hasStatus(found, "Cancelled");
      await other.next("cancel");
      // The button is gone, and the row keeps the focus of who uses the keyboard.
      expect(await found.and(page.locator(":focus")).count()).toBe(1);
      await found.getByRole("button", { name: "Retry endless.bin" }).click();
      const again = await other.next("download_request");
      await hasStatus(row(again.download_id), "Downloading");
      await row(again.download_id).getByRole("button", { name: "Cancel" }).click();
      await hasStatus(row(again.download_id), "Cancelled");
    });
  });

  test("shows a file's name and a failure as text, whatever they hold", async () => {
    await visiting(async () => {
      await signIn();
      const html = await start("site-1", EVIL_HTML);
      await hasStatus(html, "Completed");
      expect(await html.locator(".file").textContent()).toBe(EVIL_HTML);
      const turned = await start("site-1", EVIL_DIRECTION);
      await hasStatus(turned, "Completed");
      expect(await turned.locator(".file").textContent()).toBe("photo_[U+202E]gpj.exe");
      const missing = await start("site-1", `no ${EVIL_HTML}`);
      await hasStatus(missing, "Failed");
      expect(await missing.locator(".why").textContent()).toContain(EVIL_HTML);
      expect(await page.locator("main img").count()).toBe(0);
      expect(await visit.violations()).toEqual([]);
    });
  });

  test("sees a site go and come back", async () => {
    await visiting(async () => {
      await signIn();
      await site("site-1").getByText("online", { exact: true }).waitFor();
      siteOne.signal("SIGKILL");
      await site("site-1").getByText("offline", { exact: true }).waitFor();
      const waiting = await start("site-1", "small.bin");
      await hasStatus(waiting, "Queued");
      await siteOne.restart();
      await site("site-1").getByText("online", { exact: true }).waitFor();
      await hasStatus(waiting, "Completed");
    });
  });

  test("tells of two machines that use one id", async () => {
    await visiting(async () => {
      await signIn();
      const twin = { client_id: "twin", enroll_token: ENROLL_TOKEN };
      await using first = await ScriptedClient.register(system.url, twin);
      await site("twin").getByText("online", { exact: true }).waitFor();
      await using second = await ScriptedClient.register(system.url, twin);
      await site("twin")
        .getByText('two machines use this id: "till" at 127.0.0.1 and "till" at 127.0.0.1')
        .waitFor();
      expect(second.isOpen).toBe(true);
      expect(await first.closed).toMatchObject({ code: 4410 });
    });
  });

  test("says when the server is gone, and goes on when it is back", async () => {
    expected = CALL_FAILED;
    await visiting(async () => {
      await signIn();
      // A call that failed just then has a notice of its own, without a full stop.
      const gone = page.getByText("No answer from the server.", { exact: true });
      system.server.signal("SIGTERM");
      try {
        await gone.waitFor();
        expect(await visit.violations()).toEqual([]);
      } finally {
        await system.restartServer();
      }
      await isLive();
      await gone.waitFor({ state: "hidden" });
      await site("site-1").getByText("online", { exact: true }).waitFor();
      await hasStatus(await start("site-1", "small.bin"), "Completed");
    });
  });

  test("filters by status and site", async () => {
    await visiting(async () => {
      await signIn();
      const failed = await start("site-1", "missing.bin");
      await hasStatus(failed, "Failed");
      const statuses = () => page.locator(".download .status").allTextContents();
      await page.getByRole("radio", { name: "Failed" }).check();
      const completed = page.locator('.download[data-status="completed"]');
      await completed.first().waitFor({ state: "detached" });
      expect(new Set(await statuses())).toEqual(new Set(["Failed"]));
      await page.getByLabel("Show downloads of").selectOption("site-slow");
      await page.getByText("No download is like this").waitFor();
      await page.getByRole("radio", { name: "All" }).check();
      await page.locator(".download").first().waitFor();
      expect(new Set(await statuses())).toEqual(new Set(["Cancelled"]));
      expect(await site("site-slow").getByRole("button", { pressed: true }).count()).toBe(1);
    });
  });

  test("can be used with the keyboard alone", async () => {
    await visiting(async () => {
      await signIn();
      await page.getByLabel("File", { exact: true }).focus();
      await page.keyboard.press("Control+A");
      await page.keyboard.type("keys.bin");
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: "Retry keys.bin" }).focus();
      const before = await page.locator(".download").count();
      await page.keyboard.press("Space");
      await page.locator(".download").nth(before).waitFor();
    });
  });

  test("fits and breaks no rule of accessibility, in each look", async () => {
    await visiting(async () => {
      await signIn();
      await page.locator(".download").first().waitFor();
      await dashboard.expectReadable();
    });
  });

  test("keeps its size with 200 sites and 10,000 downloads", async () => {
    const busy = await System.start(ROWS_IN_A_FILE);
    await using _ = busy;
    await fillDatabase(busy.folder, { sites: SITES, downloads: DOWNLOADS });
    await visiting(
      async () => {
        await page.goto(busy.url);
        await page.getByLabel("API token").fill(API_TOKEN);
        await page.keyboard.press("Enter");
        await page
          .locator(".site")
          .nth(SITES - 1)
          .waitFor();
        await page
          .locator(".download")
          .nth(PAGE_SIZE - 1)
          .waitFor();
        expect(await page.locator(".download").count()).toBe(PAGE_SIZE);
        const first = await page.locator(".download").first().getAttribute("data-download-id");
        for (let number = 2; number <= 4; number++) {
          await page.getByRole("button", { name: "Older" }).click();
          await page.getByText(`Page ${number}`, { exact: true }).waitFor();
        }
        expect(await page.locator(".download").count()).toBe(PAGE_SIZE);
        for (let number = 3; number >= 1; number--) {
          await page.getByRole("button", { name: "Newer" }).click();
          await page.getByText(`Page ${number}`, { exact: true }).waitFor();
        }
        const again = page.locator(".download").first();
        expect(await again.getAttribute("data-download-id")).toBe(first);
        await page.getByLabel("Show downloads of").selectOption("site-0150");
        // The rows of before are there until the answer is.
        await waitFor(async () => {
          const sites = await page.locator(".download .site-id").allTextContents();
          return sites.length === PAGE_SIZE && sites.every((id) => id === "site-0150");
        }, "downloads of one site alone");
      },
      {},
      busy.url,
    );
  });

  test("is sent with what keeps a browser from doing anything else", async () => {
    const { headers } = await fetch(system.url);
    const policy = headers.get("Content-Security-Policy");
    expect(policy).toStartWith("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).not.toMatch(/unsafe|\*|data:|https?:/);
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(headers.get("Referrer-Policy")).toBe("no-referrer");
    expect(headers.get("X-Frame-Options")).toBe("DENY");
  });

  test("keeps no secret in the server's log", async () => {
    const log = await Bun.file(join(system.folder, "server.log")).text();
    expect(log).not.toContain(API_TOKEN);
    expect(log).not.toContain("code=");
  });
});
