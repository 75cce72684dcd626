import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { NO_BROWSER } from "../support/browser.ts";
import { signedIn, useBrowser } from "../support/dashboard-stage.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

/* Browsing the folders of a site on the dashboard, and pulling the chosen files and folders. */

setDefaultTimeout(TEST_LIMIT);

useBrowser();

describe.skipIf(NO_BROWSER !== "")(`folders on the dashboard${NO_BROWSER}`, () => {
  test("10,000 names are gone through by keys, and what is ticked is pulled", async () => {
    await using system = await System.start();
    await fillSite(system, 10_000);
    await system.startClient();
    await signedIn(system.url, async (dashboard) => {
      const { page } = dashboard;
      await browse(page);
      await page.keyboard.press("Enter"); // Opens the only root folder of the site.
      await isActive(page, "2026");
      expect(await dashboard.visit.violations()).toEqual([]);

      // In a folder of 10,000 names, typed letters find a name, and End goes to the last name.
      await page.keyboard.type("many");
      await isActive(page, "many");
      await page.keyboard.press("Enter");
      await isActive(page, "sale-00000.csv");
      while ((await activeName(page)) !== "sale-09999.csv") {
        await page.keyboard.press("End");
        await page.getByText(/^[\d,]+ names(, more below)?$/).waitFor();
      }
      await page.getByText("10,000 names", { exact: true }).waitFor();
      await page.keyboard.press("Backspace");
      await isActive(page, "many");

      // Two folders are ticked. The name of the second one has characters that mean something in patterns.
      await page.keyboard.press("Home");
      await page.keyboard.press(" ");
      await page.keyboard.type("odd");
      await isActive(page, "odd [a]*");
      await page.keyboard.press(" ");
      await page.getByText("2 folders chosen").waitFor();
      await page.getByRole("button", { name: "Pull", exact: true }).click();
      await page.locator("#folder-browser").waitFor({ state: "hidden" });

      const row = page.locator(".download[data-status=completed]");
      await row.getByText("4 files · 1 skipped").waitFor();
      const [download] = await system.records("completed");
      expect(download).toMatchObject({ kind: "set", files_received: 3, files_skipped: 1 });

      // The list of the set's files also shows each skipped file with its reason.
      await row.getByRole("button", { name: "Files of" }).click();
      const files = page.getByRole("list", { name: "Files of the set" });
      await files.getByText("2026/a.txt").waitFor();
      expect(await files.getByRole("listitem").count()).toBe(4);
      expect(await dashboard.visit.violations()).toEqual([]);
      const [saved] = await Promise.all([
        page.waitForEvent("download"),
        files.getByRole("link", { name: "Save 2026/a.txt" }).click(),
      ]);
      expect(await Bun.file(await saved.path()).text()).toBe("a");
      await page.getByLabel("Show files that are").selectOption("skipped");
      await files.getByText("2026/b.txt").waitFor({ state: "hidden" });
      await page.keyboard.press("Escape");
      await page.locator("#set-files").waitFor({ state: "hidden" });
    });
  });

  test("one file is pulled as a file, and a pattern that is typed as a set", async () => {
    await using system = await System.start();
    await fillSite(system);
    await system.startClient();
    await signedIn(system.url, async (dashboard) => {
      const { page } = dashboard;
      await page.getByRole("button", { name: "Browse…" }).click();
      await page.getByLabel("Folder", { exact: true }).fill(system.source("2026"));
      await page.keyboard.press("Enter");
      await isActive(page, "a.txt");
      await page.keyboard.press(" ");
      await page.getByText("1 file chosen").waitFor();
      await page.getByRole("button", { name: "Pull", exact: true }).click();
      await page.locator(".download[data-status=completed]").waitFor();

      await page.getByLabel("File", { exact: true }).fill("2026/*.txt");
      await page.getByRole("button", { name: "Start" }).click();
      await page.locator(".download[data-status=completed]").nth(1).waitFor();
      const downloads = await system.records("completed");
      expect(downloads.map(({ kind }) => kind)).toEqual(["set", "file"]);
    });
  });

  test("what a set was asked for by is told apart, and not cut on a narrow page", async () => {
    await using system = await System.start();
    await fillSite(system);
    await system.startClient();
    const request = { client_id: "site-1", paths: ["2026/a.txt", "2026/b*", "odd*"] };
    const { download_id } = await system.api.startDownload(request);
    await system.ended(download_id);
    await signedIn(
      system.url,
      async (dashboard) => {
        const { page } = dashboard;
        await page.getByRole("button", { name: "Files of 2026/a.txt, 2026/b*, odd*" }).click();
        await page.getByText("Files of 2026/a.txt, 2026/b*, odd*", { exact: true }).waitFor();
        expect(await isCut(page, "#set-files-heading")).toBe(false);
        await dashboard.expectFitting();
        expect(await dashboard.visit.violations()).toEqual([]);
      },
      { viewport: { width: 390, height: 800 } },
    );
  });

  test("a site that lets nobody look says so, on a narrow page too", async () => {
    await using system = await System.start();
    await system.startClient({ env: { CLIENT_BROWSE: "off" } });
    await signedIn(
      system.url,
      async (dashboard) => {
        const { page } = dashboard;
        await page.getByRole("button", { name: "Browse…" }).click();
        const problem = page.getByRole("alert").filter({ hasText: "lists no files" });
        await problem.waitFor();
        // The message is above the list, so it is visible without scrolling.
        const list = page.getByRole("listbox", { name: "In this folder" });
        expect((await problem.boundingBox())!.y).toBeLessThan((await list.boundingBox())!.y);
        expect(await isCut(page, "#folder-heading")).toBe(false);
        await dashboard.expectFitting();
        expect(await dashboard.visit.violations()).toEqual([]);
        await page.getByRole("button", { name: "Close" }).click();
      },
      { viewport: { width: 390, height: 800 }, expected: /status of 403/ },
    );
  });
});

/**
 * Opens the dialog with a site's folders, and waits for the list.
 * @throws Error with the message that the dialog shows instead
 */
async function browse(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Browse…" }).click();
  const option = page.getByRole("listbox", { name: "In this folder" }).getByRole("option").first();
  const problem = page.locator("#folder-problem:not([hidden])");
  for (;;) {
    await option.or(problem).first().waitFor();
    if (await option.isVisible()) return;
    const words = (await problem.textContent()) ?? "";
    // On a busy machine the site may answer too late, so the listing is requested again.
    if (!words.includes("gave no answer")) throw new Error(`the dialog says: ${words}`);
    await page.getByLabel("Folder", { exact: true }).press("Enter");
    await problem.waitFor({ state: "hidden" });
  }
}

async function fillSite(system: System, files = 0): Promise<void> {
  for (const name of ["2026", "many", "odd [a]*"]) await mkdir(system.source(name));
  await writeFile(system.source("2026/a.txt"), "a");
  await writeFile(system.source("2026/b.txt"), "b");
  // A file name that is not UTF-8. Sets skip such a file, because its name cannot be stored.
  await writeFile(Buffer.from(system.source("2026/caf\xe9.txt"), "latin1"), "");
  await writeFile(system.source("odd [a]*/c.txt"), "c");
  for (let file = 0; file < files; file++) {
    await writeFile(system.source(`many/sale-${String(file).padStart(5, "0")}.csv`), "");
  }
}

/** Reports whether the text of an element is wider than the element. */
function isCut(page: Page, selector: string): Promise<boolean> {
  return page.locator(selector).evaluate((element) => element.scrollWidth > element.clientWidth);
}

function activeName(page: Page): Promise<string | undefined> {
  return page.evaluate(`document.querySelector(".entry.active .entry-name")?.textContent`);
}

async function isActive(page: Page, name: string): Promise<void> {
  await page.locator(".entry.active .entry-name").getByText(name, { exact: true }).waitFor();
}
