import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { NO_BROWSER } from "../support/browser.ts";
import { Dashboard } from "../support/dashboard.ts";
import {
  browser,
  CALL_FAILED,
  signedIn,
  system,
  useBrowserAndServer,
} from "../support/dashboard-stage.ts";
import { writeRandom } from "../support/sources.ts";
import { API_TOKEN } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

/*
 * The event stream of the dashboard: while the page is hidden, when the server refuses it, and when it
 * breaks.
 */

setDefaultTimeout(TEST_LIMIT);

useBrowserAndServer();

/** Returns the number of open event streams, from the server's metrics. */
async function readers(): Promise<number> {
  const headers = { Authorization: `Bearer ${API_TOKEN}` };
  const page = await (await fetch(`${system.url}/metrics`, { headers })).text();
  return Number(/^fds_event_readers (\d+)$/m.exec(page)?.[1]);
}

const haveReaders = (count: number) =>
  waitFor(async () => (await readers()) === count || undefined, `${count} readers of events`);

/** Pretends that the page was hidden or shown, because a headless browser always reports pages as visible. */
const setVisibility = (page: Page, state: "visible" | "hidden") =>
  page.evaluate(`
    Object.defineProperty(document, "visibilityState", { value: "${state}", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));`);

describe.skipIf(NO_BROWSER !== "")(`the dashboard's connection${NO_BROWSER}`, () => {
  test("is given up while nobody sees the page, and made again when somebody does", async () => {
    await Dashboard.visit(browser, system.url, async (dashboard) => {
      const { page } = dashboard;
      await page.clock.install();
      await dashboard.signIn();
      await haveReaders(1);
      await setVisibility(page, "hidden");
      await page.clock.fastForward(59_000);
      expect(await readers()).toBe(1);
      await page.clock.fastForward(1_000);
      await haveReaders(0);
      await using client = await system.startClient({ id: "site-1" });
      expect(client.log()).not.toEqual([]);
      await setVisibility(page, "visible");
      await dashboard.isLive();
      await dashboard.site("site-1").getByText("online", { exact: true }).waitFor();
      await haveReaders(1);
      // A short switch to another tab does not close the connection.
      await setVisibility(page, "hidden");
      await setVisibility(page, "visible");
      await page.clock.fastForward(120_000);
      expect(await readers()).toBe(1);
    });
  });

  test("is said to be refused, with the server's reason, until it is not", async () => {
    await Dashboard.visit(
      browser,
      system.url,
      async (dashboard) => {
        const { page } = dashboard;
        const refusal = JSON.stringify({ error: "too many pages are open", code: "rate_limited" });
        await page.route("**/api/events", (route) => route.fulfill({ status: 429, body: refusal }));
        await page.goto(system.url);
        await page.getByLabel("API token").fill(API_TOKEN);
        await page.keyboard.press("Enter");
        await page.getByText("too many pages are open. What you see is from").waitFor();
        expect(await dashboard.visit.violations()).toEqual([]);
        await page.unroute("**/api/events");
        await dashboard.isLive();
        await page.getByText("too many pages are open").waitFor({ state: "hidden" });
      },
      { expected: CALL_FAILED },
    );
  });
});

describe.skipIf(NO_BROWSER !== "")(`the dashboard${NO_BROWSER}`, () => {
  test("says when the server is gone, and goes on when it is back", async () => {
    await writeRandom(system.source("small.bin"), 1000);
    await using _ = await system.startClient({ id: "site-1" });
    await signedIn(
      system.url,
      async (dashboard) => {
        const { page, visit } = dashboard;
        const online = dashboard.site("site-1").getByText("online", { exact: true });
        await online.waitFor();
        // The full stop tells this notice from that of a failed call, which has the same words without one.
        const gone = page.getByText("No answer from the server.", { exact: true });
        system.server.signal("SIGTERM");
        try {
          await gone.waitFor();
          expect(await visit.violations()).toEqual([]);
        } finally {
          await system.restartServer();
        }
        await dashboard.isLive();
        await gone.waitFor({ state: "hidden" });
        await online.waitFor();
        await page.getByLabel("File", { exact: true }).fill("small.bin");
        await page.getByRole("button", { name: "Start" }).click();
        await page.locator(".download").getByText("Completed", { exact: true }).waitFor();
      },
      { expected: CALL_FAILED },
    );
  });
});
