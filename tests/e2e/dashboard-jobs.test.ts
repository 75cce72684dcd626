import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Locator, Page } from "playwright-core";
import { NO_BROWSER } from "../support/browser.ts";
import { Dashboard } from "../support/dashboard.ts";
import {
  browser,
  CALL_FAILED,
  fleet,
  signedIn,
  system,
  useFleet,
} from "../support/dashboard-stage.ts";
import { countsOf, idsOf } from "../support/fleet.ts";
import { TEST_LIMIT } from "../support/wait.ts";

/* Jobs on the dashboard: which sites are asked, which files came, which failed and why, and asking again. */

setDefaultTimeout(TEST_LIMIT);

useFleet();

const jobOf = (page: Page, jobId: string) => page.locator(`.job[data-job-id="${jobId}"]`);

/** Waits until the progress bar of a job shows these words. */
const barOf = (job: Locator, words: string) =>
  job.getByRole("img", { name: words, exact: true }).waitFor();

describe.skipIf(NO_BROWSER !== "")(`jobs on the dashboard${NO_BROWSER}`, () => {
  test("labels are edited in place, and a job asks the sites that have them", async () => {
    await fleet.join(idsOf(3));
    await signedIn(system.url, async (dashboard) => {
      const { page } = dashboard;
      for (const id of ["site-1", "site-2"]) {
        const site = dashboard.site(id);
        await site.getByRole("button", { name: `Edit the labels of ${id}` }).press("Enter");
        await page.keyboard.type("west");
        await page.keyboard.press("Enter");
        await site.getByText('"west" is no label').waitFor();
        expect(await dashboard.visit.violations()).toEqual([]);
        await page.getByRole("textbox", { name: `Labels of ${id}` }).fill("region=west tier=gold");
        await page.keyboard.press("Enter");
        await site.getByText("tier=gold").waitFor();
      }
      const second = dashboard.site("site-2");
      await second.getByRole("button", { name: "Edit the labels" }).click();
      const labels = page.getByRole("textbox", { name: "Labels of site-2" });
      await labels.fill("region=west");
      await labels.press("Enter");
      await labels.waitFor({ state: "hidden" });
      await second.getByText("tier=gold").waitFor({ state: "hidden" });
      expect((await fleet.call("GET", "clients?labels=tier%3Dgold")).body).toMatchObject({
        clients: [{ client_id: "site-1" }],
      });
      await page.getByLabel("Find a site").fill("tier=g");
      await second.waitFor({ state: "hidden" });
      await page.getByLabel("Find a site").fill("");

      await page.getByRole("button", { name: "Ask many sites…" }).press("Enter");
      await page.keyboard.press("ArrowRight"); // Chooses the sites by label.
      const sites = page.getByLabel("Labels of the sites");
      await sites.pressSequentially("region");
      await page.getByText("2 sites match, all online").waitFor();
      await sites.pressSequentially("=west,!tie");
      await page.getByText("2 sites match, all online").waitFor();
      await sites.pressSequentially("r");
      await page.getByText("1 site matches, all online").waitFor();
      await sites.pressSequentially("=");
      await page.getByText("wrong at character 18").waitFor();
      expect(await sites.getAttribute("aria-invalid")).toBe("true");
      expect(await dashboard.visit.violations()).toEqual([]);
      await sites.press("Backspace");
      await page.getByLabel("Files", { exact: true }).fill("logs/till.txt");
      await page.getByLabel("Name of the job").fill("Logs of the west");
      await page.getByText("Limits and times").click();
      const form = page.getByRole("form", { name: "Ask many sites" });
      await form.getByLabel("Rate of each, a second").fill("2MiB");
      await form.getByLabel("Kept for so many days").fill("90");
      await form.getByLabel("Newest of each site kept").fill("7");
      await page.getByRole("button", { name: "Ask 1 site" }).click();
      const job = page.locator(".job");
      await barOf(job, "1 completed");
      await job.getByText("Completed", { exact: true }).waitFor();
      const about = "logs/till.txt · kept 90 days or the last 7 kept · by API_TOKEN";
      await job.getByText(`region=west,!tier · ${about}`).waitFor();
      const { jobs } = await system.api.jobs({});
      expect(jobs[0]).toMatchObject({ keep: { days: 90, last: 7 } });
      const [download] = await system.records("completed");
      expect(download).toMatchObject({
        client_id: "site-2",
        file_path: "logs/till.txt",
        rate_limit: 2_097_152,
      });
    });
  });

  test("what failed is told with its reason, and asked for again", async () => {
    await fleet.join(idsOf(4));
    fleet.site("site-3").go("refuse");
    await signedIn(system.url, async ({ page, visit }) => {
      const other = await fleet.makeJob({ clients: { ids: ["site-1"] } });
      const jobId = await fleet.makeJob({ name: "Night" });
      const job = jobOf(page, jobId);
      await barOf(job, "3 completed, 1 failed");
      await barOf(jobOf(page, other), "1 completed");
      await job.getByText("Failed", { exact: true }).waitFor();
      await job.getByRole("link", { name: "1 failed" }).click();
      await page.getByText("Of the job Night.").waitFor();
      const rows = page.locator("#download-list .download");
      await rows.getByText("site-3").waitFor();
      await rows.getByText("no", { exact: true }).waitFor();
      // The rows of the earlier list stay until the server has answered.
      await rows.nth(1).waitFor({ state: "hidden" });
      expect(await rows.count()).toBe(1);
      expect(await visit.violations()).toEqual([]);

      fleet.site("site-3").go("deliver");
      await job.getByRole("button", { name: "Ask the failed again: Night" }).click();
      await barOf(job, "4 completed");
      await job.getByText("Completed", { exact: true }).waitFor();
      await rows.first().waitFor({ state: "hidden" });
      expect(countsOf(await fleet.job(jobId))).toEqual({ completed: 4 });
      // The address of the page keeps the chosen list over a reload.
      await page.reload();
      await page.getByText("Of the job Night.").waitFor();
      await page.getByRole("link", { name: "Night" }).click();
      await rows.nth(4).waitFor();
      await page.getByRole("link", { name: "Show all" }).click();
      await rows.nth(5).waitFor();
    });
  });

  test("a job is paused, goes on, and is cancelled", async () => {
    await fleet.join(idsOf(3), "hold");
    await signedIn(system.url, async ({ page }) => {
      await page.getByRole("button", { name: "Ask many sites…" }).click();
      await page.getByText("Limits and times").click();
      await page.getByLabel("At once, at most").fill("1");
      await page.getByRole("button", { name: "Ask 3 sites" }).click();
      const job = page.locator(".job");
      await barOf(job, "1 downloading, 2 queued");
      await job.getByRole("button", { name: "Pause" }).click();
      await job.getByText("Paused", { exact: true }).waitFor();
      fleet.go("deliver");
      await barOf(job, "1 completed, 2 queued");
      await job.getByRole("button", { name: "Resume" }).click();
      await barOf(job, "3 completed");

      fleet.go("hold");
      await page.getByRole("button", { name: "Ask many sites…" }).click();
      await page.getByRole("radio", { name: "By name" }).check();
      await page.getByLabel("Names of the sites").fill("site-*");
      await page.getByRole("button", { name: "Ask 3 sites" }).click();
      await barOf(job.first(), "3 downloading");
      await job.first().getByRole("button", { name: "Cancel" }).click();
      await barOf(job.first(), "3 cancelled");
      await job.first().getByRole("button", { name: "Ask the cancelled again" }).waitFor();
    });
  });

  test("when a job ends and how much of it runs at once can be changed", async () => {
    await fleet.join(idsOf(3), "hold");
    const jobId = await fleet.makeJob({ name: "Night", max_concurrent: 1 });
    await signedIn(system.url, async ({ page, visit }) => {
      const job = jobOf(page, jobId);
      await barOf(job, "1 downloading, 2 queued");
      await job.getByRole("button", { name: "Limits of Night" }).press("Enter");
      const form = page.getByRole("form", { name: "Limits of Night" });
      expect(await form.getByLabel("At once, at most").inputValue()).toBe("1");
      await form.getByLabel("At once, at most").fill("2");
      await form.getByLabel("Ends at").fill("2100-01-02T03:04");
      expect(await visit.violations()).toEqual([]);
      await form.getByRole("button", { name: "Save" }).click();
      await barOf(job, "2 downloading, 1 queued");
      const expiresAt = await page.evaluate<string>('new Date("2100-01-02T03:04").toISOString()');
      expect(await fleet.job(jobId)).toMatchObject({ max_concurrent: 2, expires_at: expiresAt });
      await job.getByRole("button", { name: "Limits of Night" }).click();
      await form.getByLabel("At once, at most").fill("");
      await form.getByLabel("Ends at").fill("");
      await form.getByLabel("Ends at").press("Enter");
      await barOf(job, "3 downloading");
      await form.waitFor({ state: "hidden" });
      expect(await fleet.job(jobId)).toMatchObject({ max_concurrent: null, expires_at: null });
    });
  });

  test("a job is made once, where the first answer is lost", async () => {
    await fleet.join(idsOf(2));
    await signedIn(
      system.url,
      async ({ page }) => {
        await page.route(
          "**/api/jobs",
          async (route) => {
            await route.fetch();
            await route.abort();
          },
          { times: 1 },
        );
        await page.getByRole("button", { name: "Ask many sites…" }).click();
        const ask = page.getByRole("button", { name: "Ask 2 sites" });
        await ask.click();
        await page.getByText("No answer from the server", { exact: true }).waitFor();
        await barOf(page.locator(".job"), "2 completed");
        await ask.click();
        await page.getByText("2 sites are asked").waitFor();
        expect((await fleet.call("GET", "jobs")).body["jobs"]).toHaveLength(1);
      },
      { expected: CALL_FAILED },
    );
  });

  test("an operator of some sites is offered to change the jobs of that token alone", async () => {
    await fleet.join(idsOf(2), "hold");
    const theirs = await fleet.makeJob({ name: "Everybody" });
    const right = { name: "west", role: "operator", sites: ["site-1"] };
    const { body } = await fleet.call("POST", "tokens", right);
    await Dashboard.visit(browser, system.url, async (dashboard) => {
      const { page } = dashboard;
      await dashboard.signIn(String(body["token"]));
      await barOf(jobOf(page, theirs), "1 downloading");
      await page.getByRole("button", { name: "Ask many sites…" }).click();
      await page.getByLabel("Name of the job").fill("Mine");
      await page.getByRole("button", { name: "Ask 1 site" }).click();
      const changes = /^(Pause|Resume|Limits|Cancel)/;
      const mine = page.locator(".job", { hasText: "Mine" });
      await mine.getByRole("button", { name: "Pause" }).click();
      await mine.getByRole("button", { name: "Resume" }).waitFor();
      expect(await jobOf(page, theirs).getByRole("button", { name: changes }).count()).toBe(0);
      fleet.go("refuse");
      await barOf(jobOf(page, theirs), "1 failed");
      expect(await jobOf(page, theirs).getByRole("button").count()).toBe(0);
    });
  });

  test("of a job that ended while the connection was gone, and of which no event tells, too", async () => {
    await fleet.join(idsOf(1), "hold");
    const jobId = await fleet.makeJob({ name: "Old" });
    await signedIn(
      system.url,
      async ({ page }) => {
        await barOf(jobOf(page, jobId), "1 downloading");
        await page.route("**/api/events", (route) => route.abort());
        system.server.signal("SIGTERM");
        await system.restartServer();
        await page.getByText("Reconnecting…", { exact: true }).waitFor();
        await fleet.call("POST", `jobs/${jobId}/cancel`);
        // The event stream starts with the latest 50 jobs, so the cancelled job is no longer among them.
        for (let job = 0; job < 50; job++) await fleet.makeJob({ name: `New ${job}` });
        await page.unroute("**/api/events");
        await jobOf(page, jobId).getByText("Cancelled", { exact: true }).waitFor();
      },
      { expected: /Failed to load resource/ },
    );
  });

  test("a viewer sees all of it, and is offered nothing to do", async () => {
    await fleet.join(idsOf(2));
    fleet.site("site-2").go("refuse");
    await fleet.call("PATCH", "clients/site-1", { labels: { region: "west" } });
    await fleet.ended(await fleet.makeJob({ name: "Night" }));
    const { body } = await fleet.call("POST", "tokens", { name: "viewer", role: "viewer" });
    await Dashboard.visit(browser, system.url, async (dashboard) => {
      const { page } = dashboard;
      await dashboard.signIn(String(body["token"]));
      await barOf(page.locator(".job"), "1 completed, 1 failed");
      await page.getByText("region=west").waitFor();
      for (const name of [/^Ask /, /^Edit the labels/, /^(Pause|Resume|Limits|Cancel|Retry)/]) {
        expect(await page.getByRole("button", { name }).count()).toBe(0);
      }
      await page.getByRole("link", { name: "1 failed", exact: true }).click();
      await page.locator("#download-list").getByText("no", { exact: true }).waitFor();
    });
  });

  test("everything fits and can be read, in each look", async () => {
    await fleet.join(idsOf(3));
    fleet.site("site-3").go("refuse");
    const name = `${"n".repeat(150)} \u202E`;
    await fleet.ended(await fleet.makeJob({ name }));
    fleet.go("hold");
    await fleet.makeJob({ clients: { ids: idsOf(3) }, download: { paths: ["x".repeat(1000)] } });
    await signedIn(
      system.url,
      async (dashboard) => {
        const { page } = dashboard;
        await barOf(page.locator(".job").nth(1), "2 completed, 1 failed");
        await page.getByRole("button", { name: "Ask many sites…" }).click();
        await page.getByRole("radio", { name: "By name" }).check();
        await page.getByLabel("Names of the sites").fill("site-9");
        await page.getByText('No site is "site-9"').waitFor();
        await page.getByText("Limits and times").click();
        await dashboard.expectReadable();
      },
      { viewport: { width: 390, height: 800 } },
    );
  });
});
