import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { NO_BROWSER, type Visit } from "../support/browser.ts";
import { Dashboard } from "../support/dashboard.ts";
import { browser, CALL_FAILED, system, useBrowserAndServer } from "../support/dashboard-stage.ts";
import { ScriptedClient } from "../support/scripted-client.ts";
import { md5OfFile, type Version, writeRandom } from "../support/sources.ts";
import { API_TOKEN, ENROLL_TOKEN } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

/*
 * Downloads of a real client on the dashboard: started, watched, saved, cancelled and retried. Each test
 * opens the page anew. At its end, the page must have logged no error and sent no request to another host.
 */

setDefaultTimeout(TEST_LIMIT);

const MIB = 1024 * 1024;
/** A file name with a script that would run if the page inserted names as HTML. */
const EVIL_HTML = `<img src=x onerror="alert(1)">'.txt`;
/** A file name that shows as "photo_exe.jpg" where the right-to-left override in it takes effect. */
const EVIL_DIRECTION = "photo_\u202Egpj.exe";

let large: Version;
let dashboard: Dashboard;
let visit: Visit;
let page: Page;

useBrowserAndServer();

// This hook is outside the describe block, because Bun lists the hooks of a skipped block as tests without a
// name.
beforeAll(async () => {
  if (NO_BROWSER !== "") return;
  large = await writeRandom(system.source("large.bin"), 100 * MIB);
  await writeRandom(system.source("small.bin"), 1000);
  await writeRandom(system.source(EVIL_HTML), 10);
  await writeRandom(system.source(EVIL_DIRECTION), 10);
  await system.startClient({ id: "site-1" });
});

describe.skipIf(NO_BROWSER !== "")(`the dashboard${NO_BROWSER}`, () => {
  /** Opens the dashboard, runs the test, then checks that the page did nothing forbidden. */
  const visiting = (run: () => Promise<void>, options = {}) =>
    Dashboard.visit(
      browser,
      system.url,
      async (visited) => {
        dashboard = visited;
        ({ page, visit } = visited);
        await run();
      },
      options,
    );

  async function signIn(token = API_TOKEN): Promise<void> {
    await dashboard.signIn(token);
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
    const id = await system.pull("small.bin");
    const { saved_path } = await system.ended(id);
    await rm(join(system.folder, "downloads", saved_path ?? ""));
    await visiting(
      async () => {
        await signIn();
        const saved: string[] = [];
        page.on("download", (saving) => saved.push(saving.suggestedFilename()));
        await row(id).getByRole("link", { name: "Save small.bin" }).click();
        await page.getByText("The file was removed or changed on the server's disk").waitFor();
        expect(saved).toEqual([]);
      },
      { expected: CALL_FAILED },
    );
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
      // The focused button has disappeared, so the focus must be on its row, for users of the keyboard.
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
});
