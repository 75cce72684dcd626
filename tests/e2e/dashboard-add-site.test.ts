import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { NO_BROWSER } from "../support/browser.ts";
import { Dashboard } from "../support/dashboard.ts";
import { browser, signedIn, useBrowser } from "../support/dashboard-stage.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

/* How the first site, and each one after it, is added from the dashboard. */

setDefaultTimeout(TEST_LIMIT);

const permissions = ["clipboard-read", "clipboard-write"];
const CLIPBOARD = "navigator.clipboard.readText()";

useBrowser();

describe.skipIf(NO_BROWSER !== "")(`a dashboard without sites${NO_BROWSER}`, () => {
  test.each([1280, 390])("gives a command that connects one, %d pixels wide", async (width) => {
    await using system = await System.start();
    await signedIn(
      system.url,
      async (dashboard) => {
        const { page } = dashboard;
        await page.getByText("No site has connected yet").waitFor();
        expect(await dashboard.visit.violations()).toEqual([]);
        await dashboard.expectFitting();
        expect(await page.getByRole("button", { name: "Start" }).count()).toBe(0);
        await page.getByLabel("Name of the site").fill("site-7");
        await page.getByLabel("Folder that it serves").fill("the files");
        await page.getByRole("button", { name: "Copy, with a fresh key" }).click();
        await page.getByText("The command is copied").waitFor();
        const command = await page.evaluate<string>(CLIPBOARD);
        const [, key] = /^ENROLL_TOKEN=(fds_enroll_\S+) /.exec(command) ?? [];
        expect(command).toBe(
          `ENROLL_TOKEN=${key} bun run client --id site-7 --server ${system.url} --root 'the files'`,
        );
        await dashboard.expectFitting();

        await system.startClient({ id: "site-7", env: { ENROLL_TOKEN: key ?? "" } });
        await page.getByText("site-7 is connected").waitFor();
        await dashboard.site("site-7").waitFor();
        await page.getByText("No site has connected yet").waitFor({ state: "hidden" });
        expect(await page.locator("#command").isVisible()).toBe(false);

        // A second one, by the button; a name that is taken is refused.
        await page.getByRole("button", { name: "Add…" }).click();
        await page.getByLabel("Name of the site").fill("site-7");
        await page.getByRole("button", { name: "Copy, with a fresh key" }).click();
        expect(await page.locator("#new-site:invalid").count()).toBe(1);
        expect(await page.locator("#command").innerText()).not.toContain("fds_enroll");
      },
      { permissions, viewport: { width, height: 800 } },
    );
  });

  test("says to others than admins who can add one", async () => {
    await using system = await System.start();
    const { token } = await system.api.createToken({ name: "eye", role: "operator" });
    await Dashboard.visit(browser, system.url, async (dashboard) => {
      const { page } = dashboard;
      await dashboard.signIn(token);
      await page.getByText("An admin can add one here").waitFor();
      expect(await page.locator("#command").isVisible()).toBe(false);
      expect(await page.getByText("Nothing was pulled yet.", { exact: true }).count()).toBe(1);
    });
  });

  test("needs no key where the server asks for none", async () => {
    await using system = await System.start({ API_TOKEN: "", ENROLL_TOKEN: "" });
    await Dashboard.visit(
      browser,
      system.url,
      async (dashboard) => {
        const { page } = dashboard;
        await page.goto(system.url);
        await page.getByRole("button", { name: "Copy", exact: true }).click();
        await page.getByText("The command is copied").waitFor();
        expect(await page.evaluate<string>(CLIPBOARD)).toBe(
          `bun run client --id restaurant-001 --server ${system.url}`,
        );
      },
      { permissions },
    );
  });
});
