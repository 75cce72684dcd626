import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { PAGE_SIZE } from "../../lib/dashboard/listing.ts";
import { ROWS_IN_A_FILE } from "../support/backend.ts";
import { launchBrowser, NO_BROWSER } from "../support/browser.ts";
import { Dashboard, fillDatabase, siteId } from "../support/dashboard.ts";
import { ScriptedClient } from "../support/scripted-client.ts";
import { ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

/*
 * The dashboard of a large fleet: many sites, mostly offline, thousands of completed downloads, and one
 * running download that is older than all of them.
 */

setDefaultTimeout(TEST_LIMIT);

const SITES = 61;
const DOWNLOADS = 3000;
const FAILED = DOWNLOADS / 10;

let browser: Browser;
let system: System;
/** The scripted client that sends the running download. */
let running: ScriptedClient;
let runningId: string;

beforeAll(async () => {
  if (NO_BROWSER !== "") return;
  browser = await launchBrowser();
  system = await System.start(ROWS_IN_A_FILE);
  running = await ScriptedClient.register(system.url, {
    client_id: "site-running",
    enroll_token: ENROLL_TOKEN,
  });
  runningId = await system.pull("endless.bin", "site-running");
  running.start(await running.next("download_request"), new Uint8Array(1024 * 1024));
  await fillDatabase(system.folder, { sites: SITES, downloads: DOWNLOADS });
});
afterAll(async () => {
  await running?.[Symbol.asyncDispose]();
  await browser?.close();
  await system?.[Symbol.asyncDispose]();
});

/**
 * A file name with control characters, marks of writing direction, zero-width characters and a line break.
 */
const EVIL = `\u001B[31m\u202Etxt.\u2066${"exe\u200B".repeat(900)}\n.sh`;

/**
 * JavaScript that returns the elements which must be fully visible, but are cut off at the edge of their row.
 */
const OUT_OF_SIGHT = `
  [...document.querySelectorAll(".site .tail, .download :is(.tail, .when, .actions)")]
    .filter((element) => {
      const inner = element.getBoundingClientRect();
      const outer = element.closest(".name, .download, .site").getBoundingClientRect();
      return inner.left < outer.left - 1 || inner.right > outer.right + 1;
    })
    .map((element) => element.outerHTML)`;

/** JavaScript that returns the height of the tallest download row, in pixels. */
const TALLEST_ROW = `
  Math.max(...[...document.querySelectorAll(".download")]
    .map((row) => row.getBoundingClientRect().height))`;

const shownPage = (page: Page, number: number) =>
  page.getByText(`Page ${number}`, { exact: true }).waitFor();

describe.skipIf(NO_BROWSER !== "")(`the dashboard of a chain${NO_BROWSER}`, () => {
  test("ends where its content does, wide and narrow", async () => {
    await Dashboard.visit(browser, system.url, async (dashboard) => {
      await dashboard.signIn();
      await dashboard.inEachLook(["light"], async () => {
        await dashboard.site(siteId(SITES - 1)).waitFor();
        await dashboard.page
          .locator("#download-list .download")
          .nth(PAGE_SIZE - 1)
          .waitFor();
        await dashboard.expectFitting();
        expect(await dashboard.visit.violations()).toEqual([]);
      });
    });
  });

  test("pins what runs above every page, and names what was verified", async () => {
    await Dashboard.visit(browser, system.url, async (dashboard) => {
      const { page } = dashboard;
      await dashboard.signIn();
      const pinned = page.getByRole("list", { name: "Downloads under way" }).locator(".download");
      await pinned.getByText("Downloading", { exact: true }).waitFor();
      expect(await pinned.getAttribute("data-download-id")).toBe(runningId);
      await page.getByRole("button", { name: "Older" }).click();
      await shownPage(page, 2);
      expect(await pinned.count()).toBe(1);
      await page.getByRole("button", { name: "Newest" }).click();
      await shownPage(page, 1);
      const first = page.locator('.download[data-status="completed"]').first();
      expect(await first.locator(".verified").innerText()).toBe("✓ verified");
      // In the list of running downloads, the download is shown in place and no longer pinned above.
      await page.getByRole("radio", { name: "Downloading" }).check();
      await pinned.waitFor({ state: "hidden" });
      await dashboard.row(runningId).waitFor();
      expect(await page.locator(".download").count()).toBe(1);
    });
  });

  test("leads from each number to what it counts, by an address that can be kept", async () => {
    await Dashboard.visit(browser, system.url, async (dashboard) => {
      const { page } = dashboard;
      await dashboard.signIn();
      await page.getByRole("link", { name: `${FAILED} Failed` }).click();
      await page.locator('.download[data-status="completed"]').first().waitFor({ state: "hidden" });
      const failed = page.locator('#download-list .download[data-status="failed"]');
      expect(await failed.count()).toBe(PAGE_SIZE);
      expect(await failed.first().locator(".why").innerText()).not.toBe("");
      expect(page.url()).toContain("#status=failed&open=true");
      await page.goBack();
      await page.locator('.download[data-status="completed"]').first().waitFor();
      expect(await page.getByRole("radio", { name: "All" }).isChecked()).toBe(true);
      await page.goForward();
      await page.locator('.download[data-status="completed"]').first().waitFor({ state: "hidden" });
      await page.reload();
      await failed.first().waitFor();
      expect(await page.getByRole("radio", { name: "Failed" }).isChecked()).toBe(true);

      await page.getByRole("link", { name: `${SITES} Offline` }).click();
      await dashboard.site("site-running").waitFor({ state: "hidden" });
      expect(await page.locator(".site").count()).toBe(SITES);
      await page.getByRole("button", { name: "Show all" }).click();
      await dashboard.site("site-running").waitFor();
    });
  });

  test("counts as failed what is still owed, and names the retry of the rest", async () => {
    await using other = await System.start();
    await other.startClient();
    const failed = await other.pull("late.bin");
    await other.ended(failed);
    await Dashboard.visit(browser, other.url, async (dashboard) => {
      const { page } = dashboard;
      await dashboard.signIn();
      await page.getByRole("link", { name: "1 Failed" }).click();
      await dashboard.row(failed).getByText('no file "late.bin"').waitFor();
      await Bun.write(other.source("late.bin"), "here now");
      await dashboard.row(failed).getByRole("button", { name: "Retry" }).click();
      // The retry succeeded, so the list of failures that were not retried is empty.
      await dashboard.row(failed).waitFor({ state: "hidden" });
      await page.getByRole("link", { name: "0 Failed" }).waitFor();
      await page.getByLabel("Not retried").uncheck();
      const old = dashboard.row(failed);
      await old.waitFor();
      expect(await old.getByRole("button", { name: "Retry" }).count()).toBe(0);
      expect(await dashboard.visit.violations()).toEqual([]);
      await old.getByRole("link", { name: "Retried, see the new download" }).click();
      await page.getByText("One download is shown").waitFor();
      const shown = page.locator(".download");
      await shown.getByText("Completed", { exact: true }).waitFor();
      expect(await shown.count()).toBe(1);
      expect(await shown.getAttribute("data-download-id")).not.toBe(failed);
      await page.getByRole("link", { name: "Show all" }).click();
      await old.waitFor();
    });
  });

  test("keeps its shape with the longest names", async () => {
    await using other = await System.start(ROWS_IN_A_FILE);
    const idOf = (site: number) => String(site).padStart(64, "kitchen-");
    const paths = [`${"a/".repeat(2040)}ü.txt`, "x".repeat(4096), "שלום".repeat(500), EVIL];
    const pathOf = (download: number) => paths[download % paths.length]!;
    await fillDatabase(other.folder, { sites: 3, downloads: 12, idOf, pathOf });
    await Dashboard.visit(browser, other.url, async (dashboard) => {
      const { page } = dashboard;
      await dashboard.signIn();
      await dashboard.inEachLook(["light"], async () => {
        await page.locator(".download").nth(11).waitFor();
        await dashboard.expectFitting();
        expect(await dashboard.visit.violations()).toEqual([]);
        expect(await page.evaluate(OUT_OF_SIGHT)).toEqual([]);
        expect(await page.evaluate<number>(TALLEST_ROW)).toBeLessThan(200);
      });
    });
  });

  test("opens at the address of a site's downloads", async () => {
    await Dashboard.visit(browser, system.url, async (dashboard) => {
      const { page } = dashboard;
      await dashboard.signIn(undefined, `#site=${siteId(7)}`);
      await page.locator(".download").first().waitFor();
      const sites = await page.locator(".download .site-id").allTextContents();
      expect(new Set(sites)).toEqual(new Set([siteId(7)]));
      expect(await page.getByLabel("Show downloads of").inputValue()).toBe(siteId(7));
    });
  });

  test("keeps its size with 200 sites and 10,000 downloads", async () => {
    await using busy = await System.start(ROWS_IN_A_FILE);
    await fillDatabase(busy.folder, { sites: 200, downloads: 10_000 });
    await Dashboard.visit(browser, busy.url, async (dashboard) => {
      const { page } = dashboard;
      await dashboard.signIn();
      await page.locator(".site").nth(199).waitFor();
      await page
        .locator(".download")
        .nth(PAGE_SIZE - 1)
        .waitFor();
      expect(await page.locator(".download").count()).toBe(PAGE_SIZE);
      const first = await page.locator(".download").first().getAttribute("data-download-id");
      for (let number = 2; number <= 4; number++) {
        await page.getByRole("button", { name: "Older" }).click();
        await shownPage(page, number);
      }
      expect(await page.locator(".download").count()).toBe(PAGE_SIZE);
      for (let number = 3; number >= 1; number--) {
        await page.getByRole("button", { name: "Newer" }).click();
        await shownPage(page, number);
      }
      const again = page.locator(".download").first();
      expect(await again.getAttribute("data-download-id")).toBe(first);
      await page.getByLabel("Show downloads of").selectOption("site-0150");
      // The rows of the earlier list stay until the server has answered.
      await waitFor(async () => {
        const sites = await page.locator(".download .site-id").allTextContents();
        return sites.length === PAGE_SIZE && sites.every((id) => id === "site-0150");
      }, "downloads of one site alone");
    });
  });
});
