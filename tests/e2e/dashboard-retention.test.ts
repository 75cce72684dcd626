import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { NO_BROWSER } from "../support/browser.ts";
import { Dashboard } from "../support/dashboard.ts";
import { browser, signedIn, useBrowser } from "../support/dashboard-stage.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

/* Holding and removing downloaded files on the dashboard. */

setDefaultTimeout(TEST_LIMIT);

useBrowser();

/** Starts a server that has received one file and one set. */
async function setUp() {
  const system = await System.start();
  await writeFile(system.source("till.log"), "till");
  await mkdir(system.source("logs"));
  await writeFile(system.source("logs/a.log"), "a");
  await system.startClient();
  const { download_id: file } = await system.ended(await system.pull("till.log"));
  const set = await system.api.startDownload({ client_id: "site-1", paths: ["logs"] });
  await system.ended(set.download_id);
  return { system, file, set: set.download_id };
}

describe.skipIf(NO_BROWSER !== "")(`retention on the dashboard${NO_BROWSER}`, () => {
  test("an admin holds and releases by keys, and a removed file says so and offers no link", async () => {
    const { system, file, set } = await setUp();
    await using _ = system;
    await signedIn(system.url, async (dashboard) => {
      const { page } = dashboard;
      const row = dashboard.row(file);
      await row.getByRole("button", { name: "Hold till.log" }).press("Enter");
      await row.getByText("Held", { exact: true }).waitFor();
      await row.getByRole("button", { name: "Remove till.log" }).waitFor({ state: "hidden" });
      expect(await system.api.download(file)).toMatchObject({ hold: true });
      expect(await dashboard.visit.violations()).toEqual([]);
      await row.getByRole("button", { name: "Release till.log" }).press("Enter");
      await row.getByText("Held", { exact: true }).waitFor({ state: "hidden" });

      // Remove asks for confirmation, and Escape answers no.
      await row.getByRole("button", { name: "Remove till.log" }).press("Enter");
      const dialog = page.getByRole("dialog", { name: "Remove from the server?" });
      await dialog.getByText("till.log", { exact: true }).waitFor();
      expect(await dashboard.visit.violations()).toEqual([]);
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "hidden" });
      expect(await system.api.download(file)).toMatchObject({ removed_at: null });
      await row.getByRole("button", { name: "Remove till.log" }).click();
      await dialog.getByRole("button", { name: "Remove", exact: true }).click();
      await row.getByText("Removed", { exact: true }).waitFor();
      await row.getByText(/^from the server, /).waitFor();
      expect(await system.published()).toHaveLength(2);
      for (const role of ["link", "button"] as const) {
        expect(await row.getByRole(role, { name: /Save|Remove|Hold|Copy/ }).count()).toBe(0);
      }

      // A set that another caller removes is shown as removed at once, and the list of its files has no
      // links.
      await system.api.removeContent(set);
      const other = dashboard.row(set);
      await other.getByText("Removed", { exact: true }).waitFor();
      await other.getByRole("button", { name: "Files of logs" }).click();
      const files = page.getByRole("list", { name: "Files of the set" });
      await files.getByText("logs/a.log").waitFor();
      expect(await files.getByRole("link").count()).toBe(0);
      expect(await dashboard.visit.violations()).toEqual([]);
    });
  });

  test("an operator sees what is held, and is offered nothing; a narrow page fits", async () => {
    const { system, file } = await setUp();
    await using _ = system;
    await system.api.change(file, { hold: true });
    const { token } = await system.api.createToken({ name: "night", role: "operator" });
    await Dashboard.visit(
      browser,
      system.url,
      async (dashboard) => {
        await dashboard.signIn(token);
        const row = dashboard.row(file);
        await row.getByText("Held", { exact: true }).waitFor();
        expect(await row.getByRole("button", { name: /Hold|Release|Remove/ }).count()).toBe(0);
        await dashboard.expectFitting();
        expect(await dashboard.visit.violations()).toEqual([]);
        await system.api.change(file, { hold: false });
        await system.api.removeContent(file);
        await row.getByText("Removed", { exact: true }).waitFor();
        await dashboard.expectFitting();
      },
      { viewport: { width: 390, height: 800 } },
    );
  });

  test("what cannot be removed any more is told", async () => {
    const { system, file } = await setUp();
    await using _ = system;
    await signedIn(
      system.url,
      async (dashboard) => {
        const { page } = dashboard;
        await dashboard.row(file).getByRole("button", { name: "Remove till.log" }).click();
        await system.api.change(file, { hold: true });
        await page.locator("#remove-yes").click();
        await page.getByText("The download is held, release it first").waitFor();
        await waitFor(
          async () => (await system.api.download(file)).removed_at === null,
          "it to be there",
        );
      },
      { expected: /status of 409/ },
    );
  });
});
