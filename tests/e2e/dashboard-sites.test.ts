import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { NO_BROWSER } from "../support/browser.ts";
import { Dashboard } from "../support/dashboard.ts";
import { browser, CALL_FAILED, signedIn, useBrowser } from "../support/dashboard-stage.ts";
import { Fleet } from "../support/fleet.ts";
import { ScriptedClient } from "../support/scripted-client.ts";
import { writeRandom } from "../support/sources.ts";
import { ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

/* Sites on the dashboard: adding them, connecting and leaving, and their time zones. */

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

        // Adds another site by the button. The name of an existing site is refused.
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

describe.skipIf(NO_BROWSER !== "")(`the dashboard${NO_BROWSER}`, () => {
  test("sees a site go and come back", async () => {
    await using system = await System.start();
    await writeRandom(system.source("small.bin"), 1000);
    const client = await system.startClient({ id: "site-1" });
    await signedIn(system.url, async (dashboard) => {
      const { page } = dashboard;
      const site = dashboard.site("site-1");
      await site.getByText("online", { exact: true }).waitFor();
      client.signal("SIGKILL");
      await site.getByText("offline", { exact: true }).waitFor();
      await page.getByLabel("File", { exact: true }).fill("small.bin");
      await page.getByRole("button", { name: "Start" }).click();
      const waiting = page.locator(".download");
      await waiting.getByText("Queued", { exact: true }).waitFor();
      await client.restart();
      await site.getByText("online", { exact: true }).waitFor();
      await waiting.getByText("Completed", { exact: true }).waitFor();
    });
  });

  test("tells of two machines that use one id", async () => {
    await using system = await System.start();
    await signedIn(system.url, async (dashboard) => {
      const site = dashboard.site("twin");
      const twin = { client_id: "twin", enroll_token: ENROLL_TOKEN };
      await using first = await ScriptedClient.register(system.url, twin);
      await site.getByText("online", { exact: true }).waitFor();
      await using second = await ScriptedClient.register(system.url, twin);
      await site
        .getByText('two machines use this id: "till" at 127.0.0.1 and "till" at 127.0.0.1')
        .waitFor();
      expect(second.isOpen).toBe(true);
      expect(await first.closed).toMatchObject({ code: 4410 });
    });
  });
});

describe.skipIf(NO_BROWSER !== "")(`sites on the dashboard${NO_BROWSER}`, () => {
  test("the time zone of a site is said, and what it reports counts again", async () => {
    await using system = await System.start();
    await using fleet = new Fleet(system.url);
    await fleet.join(["site-1"], "deliver", { time_zone: "Europe/Berlin" });
    const zone = async () => (await system.api.clients())[0]?.time_zone;
    await signedIn(
      system.url,
      async (dashboard) => {
        const { page } = dashboard;
        const edit = () => page.getByRole("button", { name: "Edit the labels of site-1" }).click();
        const field = page.getByLabel("Time zone of site-1");
        await edit();
        expect(await field.inputValue()).toBe("Europe/Berlin");
        await field.fill("Nowhere");
        await field.press("Enter");
        await page.getByText('must be the IANA name of a time zone, such as "Europe/').waitFor();
        expect(await dashboard.visit.violations()).toEqual([]);
        await field.fill("America/New_York");
        await field.press("Enter");
        await field.waitFor({ state: "hidden" });
        expect(await zone()).toBe("America/New_York");
        await edit();
        expect(await field.inputValue()).toBe("America/New_York");
        await field.fill("");
        await field.press("Enter");
        await field.waitFor({ state: "hidden" });
        expect(await zone()).toBe("Europe/Berlin");
      },
      { expected: CALL_FAILED },
    );
  });
});
