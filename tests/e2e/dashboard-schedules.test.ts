import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { ROWS_IN_A_FILE } from "../support/backend.ts";
import { NO_BROWSER } from "../support/browser.ts";
import { Dashboard } from "../support/dashboard.ts";
import { activeCell, cellOf, marksOf, rowsOf, sumsOf } from "../support/dashboard-board.ts";
import { browser, fleet, signedIn, system, useFleet } from "../support/dashboard-stage.ts";
import { fillDeliveries } from "../support/deliveries.ts";
import { idsOf } from "../support/fleet.ts";
import { YEARLY } from "../support/schedules-stage.ts";
import { API_TOKEN } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

/* Schedules on the dashboard: making them, and the board that shows which sites have not delivered. */

setDefaultTimeout(TEST_LIMIT);

useFleet(ROWS_IN_A_FILE);

const make = async (order: object = {}) => {
  const answer = await fleet.call("POST", "schedules", { ...YEARLY, ...order });
  if (answer.status !== 201) throw new Error(JSON.stringify(answer));
};
const run = () => fleet.call("POST", "schedules/nightly/run", {});
const schedule = async () => (await fleet.call("GET", "schedules/nightly")).body;

describe.skipIf(NO_BROWSER !== "")(`schedules on the dashboard${NO_BROWSER}`, () => {
  test("every night at 2:30, due at 4, kept 90 days: made, shown, changed, paused and deleted", async () => {
    await fleet.join(["site-1"], "deliver", { time_zone: "Europe/Berlin" });
    await fleet.join(["site-2"], "deliver", { time_zone: "Asia/Tokyo" });
    await signedIn(system.url, async (dashboard) => {
      const { page, visit } = dashboard;
      await page.getByText("No schedule yet").waitFor();
      await page.getByRole("button", { name: "New schedule…" }).press("Enter");
      await page.getByText("2 sites match, all online").waitFor();
      await page
        .getByText("Every day at 02:30 by each site's own clock, due at 04:00, kept 90 days")
        .waitFor();
      const form = page.getByRole("form", { name: "New schedule" });
      const ahead = form.getByRole("list", { name: "When it would ask next" });
      await ahead.getByText(/^Asia\/Tokyo .*02:30 \(17:30 UTC\)/).waitFor();
      await ahead.getByText(/^Europe\/Berlin /).waitFor();
      await form.getByLabel("Time of the day").fill("12:00");
      await ahead.getByText(/^Asia\/Tokyo .*12:00 \(03:00 UTC\)/).waitFor();
      await form.getByLabel("Time of the day").fill("02:30");
      await form.getByLabel("Files each time").fill("sales-{date-1d}.csv");
      expect(await visit.violations()).toEqual([]);
      await form.getByRole("button", { name: "Create" }).click();
      const row = page.locator(".schedule");
      await row.getByText("Asia/Tokyo").waitFor();
      await row.getByText("Europe/Berlin").waitFor();
      expect(await row.locator(".zones").textContent()).toMatch(
        /02:30 \(01:30 UTC\).*02:30 \(17:30 UTC\)|02:30 \(17:30 UTC\).*02:30 \(0[01]:30 UTC\)/,
      );
      expect(await schedule()).toMatchObject({
        name: "nightly",
        cron: "30 2 * * *",
        time_zone: "site",
        job: { clients: { all: true }, download: { file_path: "sales-{date-1d}.csv" } },
        due: { at: "04:00" },
        keep: { days: 90 },
      });
      await page
        .getByRole("button", { name: "New schedule…" })
        .and(page.locator(":focus"))
        .waitFor();

      await row.getByRole("button", { name: "Edit nightly" }).click();
      const change = page.getByRole("form", { name: "Change nightly" });
      for (const day of ["Sat", "Sun"]) await change.getByRole("checkbox", { name: day }).uncheck();
      await change.getByRole("radio", { name: "One time zone" }).check();
      await change.getByLabel("Time zone of the schedule").fill("America/New_York");
      await change.getByRole("radio", { name: "After a while" }).check();
      await change.getByLabel("Due so long after its time").fill("90m");
      await change.getByLabel("Kept", { exact: true }).fill("");
      await page
        .getByText(
          "Mon, Tue, Wed, Thu, Fri at 02:30 by the clock of America/New_York, due 90m later",
        )
        .waitFor();
      await change.getByRole("button", { name: "Save" }).click();
      await row.getByText("America/New_York").first().waitFor();
      expect(await schedule()).toMatchObject({
        cron: "30 2 * * mon,tue,wed,thu,fri",
        time_zone: "America/New_York",
        due: { after: "90m" },
        keep: null,
      });

      // A list that was requested before a change must not overwrite the change when its answer comes late.
      const list = await dashboard.holdAnswer("**/api/schedules");
      await system.pull("a.txt");
      await list.arrived;
      await row.getByRole("button", { name: "Pause nightly" }).press("Enter");
      await row.getByText("Paused", { exact: true }).waitFor();
      await list.pass();
      expect(await row.getByText("Paused", { exact: true }).count()).toBe(1);
      expect(await schedule()).toMatchObject({ paused: true });
      await row.getByRole("button", { name: "Resume nightly" }).click();
      await row.getByText(/^Next in /).waitFor();

      await row.getByRole("button", { name: "Delete nightly" }).press("Enter");
      await row.getByRole("button", { name: "Keep nightly" }).press("Enter");
      expect(await row.getByRole("button", { name: "Delete for good" }).count()).toBe(0);
      await row.getByRole("button", { name: "Delete nightly" }).press("Enter");
      await page.locator(":focus", { hasText: "Delete" }).press("Enter");
      await page.getByText("No schedule yet").waitFor();
      expect((await fleet.call("GET", "schedules/nightly")).status).toBe(404);
    });
  });

  test("who owes what is seen at once, turns as it comes, and is asked for again", async () => {
    await fleet.join(idsOf(4));
    fleet.site("site-2").go("refuse");
    fleet.site("site-4").go("hold");
    await make({ due: { after: "8s" } });
    await signedIn(system.url, async ({ page, visit }) => {
      await page.getByRole("link", { name: "nightly" }).click();
      await page.getByText("Nothing was expected yet").waitFor();
      // A double click starts one run, however fast the sites deliver.
      await page.getByRole("button", { name: "Run now: nightly" }).dblclick();
      await cellOf(page, "Received", "site-1").waitFor();
      expect((await fleet.call("GET", "jobs")).body["jobs"]).toHaveLength(1);
      // The server sends no event when a delivery becomes due, so the page itself has to notice the time.
      await sumsOf(page, "2 missing of 4");
      await page.locator(".schedule").getByText("2 missing of 4").waitFor();
      expect(await rowsOf(page)).toEqual(["site-2", "site-4", "site-1", "site-3"]);
      expect(await visit.violations()).toEqual([]);

      fleet.site("site-4").go("deliver");
      await cellOf(page, "Late", "site-4").waitFor();
      await sumsOf(page, "1 missing, 1 late of 4");
      await page.getByRole("checkbox", { name: "Only who owes" }).check();
      await waitFor(async () => (await rowsOf(page)).join() === "site-2", "the one that owes");

      await cellOf(page, "Missing", "site-2").click();
      const sheet = page.getByRole("dialog", { name: "site-2" });
      await sheet.getByText("no", { exact: true }).waitFor();
      await sheet.getByText("Missing", { exact: true }).waitFor();
      expect(await visit.violations()).toEqual([]);
      fleet.site("site-2").go("deliver");
      await sheet.getByRole("button", { name: "Ask again" }).click();
      await sheet.getByText("Late", { exact: true }).waitFor();
      const save = sheet.getByRole("link", { name: "Save" });
      await save.waitFor();
      const [saved] = await Promise.all([page.waitForEvent("download"), save.click()]);
      expect(await saved.failure()).toBeNull();
      await page.keyboard.press("Escape");
      await sumsOf(page, "2 late of 4");
      await page.getByText("Nobody owes anything.").waitFor();
    });
  });

  test("those that owe are asked again at once; one who is away is told to be", async () => {
    await fleet.join(idsOf(3), "refuse");
    await make({ due: { after: "1s" } });
    await run();
    await waitFor(async () => (await system.records("failed")).length === 3, "all to refuse");
    fleet.site("site-3").leave();
    await Dashboard.visit(browser, system.url, async (dashboard) => {
      const { page } = dashboard;
      await dashboard.signIn(API_TOKEN, "#schedule=nightly");
      await sumsOf(page, "3 missing of 3");
      fleet.go("deliver");
      await page.getByRole("button", { name: "Ask these 3 again" }).click();
      await page.getByText("3 sites are asked again for").waitFor();
      await sumsOf(page, "1 missing, 2 late of 3");
      await cellOf(page, "Missing", "site-3").click();
      await page.getByRole("dialog", { name: "site-3" }).getByText("The site is offline").waitFor();
      await page.getByRole("link", { name: "Show the download" }).click();
      await page.getByText("One download is shown.").waitFor();
      // The board stays open beside the download that was shown.
      await sumsOf(page, "1 missing, 2 late of 3");
      await page.locator("#deliveries").getByRole("button", { name: "Close" }).click();
      await page.locator("#deliveries").waitFor({ state: "hidden" });
    });
  });

  test("a month of many sites: by keys, rows in sight alone, and what is earlier", async () => {
    await make();
    await fillDeliveries(system.folder, { schedule: "nightly", sites: 300, nights: 35 });
    await Dashboard.visit(browser, system.url, async (dashboard) => {
      const { page } = dashboard;
      await dashboard.signIn(API_TOKEN, "#schedule=nightly");
      await page.getByRole("columnheader").nth(30).waitFor();
      await sumsOf(page, "3 missing of 300");
      expect(await page.getByRole("grid").getAttribute("aria-rowcount")).toBe("301");
      expect(await page.locator(".grid-row").count()).toBeLessThan(100);
      expect((await rowsOf(page)).slice(0, 3)).toEqual(["site-0000", "site-0100", "site-0200"]);
      expect(await marksOf(page, "site-0000")).toEqual({ missing: 1, received: 29 });
      expect(await marksOf(page, "site-0001")).toEqual({ received: 30 });
      const first = cellOf(page, "Missing", "site-0000").first();
      await first.focus();
      const keys = async (...names: string[]) => {
        for (const name of names) await page.keyboard.press(name);
        return activeCell(page);
      };
      expect(await activeCell(page)).toBe("Missing, site-0000, Mon, Nov 30, 02:30");
      expect(await keys("ArrowDown", "ArrowRight")).toBe("Received, site-0100, Sun, Nov 29, 02:30");
      expect(await keys("End")).toBe("Received, site-0100, Sun, Nov 1, 02:30");
      expect(await keys("Home")).toBe("Missing, site-0100, Mon, Nov 30, 02:30");
      expect(await keys("Control+End")).toBe("Received, site-0299, Sun, Nov 1, 02:30");
      expect(await keys("PageUp", "PageDown", "ArrowDown", "ArrowRight")).toBe(
        "Received, site-0299, Sun, Nov 1, 02:30",
      );
      expect(await page.locator(".cell[tabindex='0']").count()).toBe(1);
      expect(await keys("Control+Home")).toBe("Missing, site-0000, Mon, Nov 30, 02:30");
      await page.keyboard.press("Enter");
      await page
        .getByRole("dialog", { name: "site-0000" })
        .getByText("Mon, Nov 30, 02:30 (UTC)")
        .waitFor();
      await page.keyboard.press("Escape");
      await waitFor(
        async () => (await activeCell(page))?.startsWith("Missing, site-0000"),
        "the cell",
      );
      await page.getByRole("button", { name: "Earlier" }).click();
      await page.getByRole("columnheader").nth(35).waitFor();
      await page.getByRole("button", { name: "Earlier" }).waitFor({ state: "hidden" });
      await cellOf(page, "Missing", "site-0000").focus();
      expect(await keys("End")).toBe("Received, site-0000, Tue, Oct 27, 02:30");
    });
  });

  test("a viewer sees all of it, and is offered nothing to do", async () => {
    await fleet.join(idsOf(2));
    fleet.site("site-2").go("refuse");
    await make({ due: { after: "8s" } });
    const { body } = await fleet.call("POST", "tokens", { name: "viewer", role: "viewer" });
    await Dashboard.visit(browser, system.url, async (dashboard) => {
      const { page } = dashboard;
      await dashboard.signIn(String(body["token"]), "#schedule=nightly");
      await page.getByText("Nothing was expected yet").waitFor();
      await run();
      // The last event comes before the delivery is due, so the page itself has to notice the time.
      await sumsOf(page, "1 missing of 2");
      await cellOf(page, "Missing", "site-2").click();
      await page.getByRole("dialog").getByText("no", { exact: true }).waitFor();
      await page.keyboard.press("Escape");
      for (const name of [/^Ask /, /^(Run|Pause|Edit|Delete|New)/]) {
        expect(await page.getByRole("button", { name }).count()).toBe(0);
      }
    });
    const operator = { name: "one", role: "operator", sites: ["site-2"] };
    const { body: other } = await fleet.call("POST", "tokens", operator);
    await Dashboard.visit(browser, system.url, async (dashboard) => {
      const { page } = dashboard;
      await dashboard.signIn(String(other["token"]), "#schedule=nightly");
      await sumsOf(page, "1 missing of 1");
      await page.getByRole("button", { name: "New schedule…" }).waitFor();
      await page.getByRole("button", { name: "Next times of nightly" }).waitFor();
      for (const name of [/^Ask (it|these)/, /^(Run|Pause|Edit|Delete)/]) {
        expect(await page.getByRole("button", { name }).count()).toBe(0);
      }
      await cellOf(page, "Missing", "site-2").click();
      const sheet = page.getByRole("dialog");
      await sheet.getByText("no", { exact: true }).waitFor();
      expect(await sheet.getByRole("button", { name: "Ask again" }).count()).toBe(0);
    });
  });

  test("everything fits and can be read, in each look", async () => {
    const name = "n".repeat(64);
    await make({ name, job: { ...YEARLY.job, download: { paths: ["x".repeat(1000)] } } });
    const idOf = (site: number) => `${"s".repeat(60)}-${site}`;
    await fillDeliveries(system.folder, { schedule: name, sites: 20, nights: 20, idOf });
    await Dashboard.visit(
      browser,
      system.url,
      async (dashboard) => {
        const { page } = dashboard;
        await dashboard.signIn(API_TOKEN, `#schedule=${name}`);
        await sumsOf(page, "1 missing of 20");
        await page.getByRole("button", { name: "New schedule…" }).click();
        await page.getByRole("radio", { name: "By cron" }).check();
        await page.getByRole("radio", { name: "One time zone" }).check();
        await page.getByRole("radio", { name: "By name" }).check();
        await page.getByLabel("Names of the sites").fill("site-9");
        await page.getByText('No site is "site-9"').waitFor();
        await page.getByText("Limits and more").click();
        await page.getByRole("button", { name: `Delete ${name}` }).click();
        await dashboard.expectReadable();
        await page.getByRole("gridcell").first().click();
        await page.getByRole("dialog").waitFor();
        await dashboard.expectReadable();
      },
      { viewport: { width: 390, height: 800 } },
    );
  });
});
