import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { NO_BROWSER } from "../support/browser.ts";
import { Dashboard } from "../support/dashboard.ts";
import { browser, CALL_FAILED, useBrowser } from "../support/dashboard-stage.ts";
import { Receiver } from "../support/receiver.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

/* Webhooks on the dashboard: admins alone make, test, inspect and remove them. */

setDefaultTimeout(TEST_LIMIT);

useBrowser();

describe.skipIf(NO_BROWSER !== "")(`webhooks on the dashboard${NO_BROWSER}`, () => {
  test.each([1280, 390])("are made, tried and removed, %d pixels wide", async (width) => {
    await using system = await System.start({ WEBHOOK_ALLOW: "127.0.0.1" });
    using receiver = new Receiver();
    await Dashboard.visit(
      browser,
      system.url,
      async (dashboard) => {
        const { page } = dashboard;
        const button = (name: string) => page.getByRole("button", { name, exact: true });
        await dashboard.signIn();
        await button("Webhooks…").click();
        await page.getByText("None yet.").waitFor();
        await page.getByLabel("Name", { exact: true }).fill("ops");
        await page.getByLabel("URL").fill(receiver.url);
        await page.getByLabel("download.completed").check();
        await button("Make it").click();
        await page.getByText("ops is told from now on").waitFor();
        const secret = await page.locator("#webhook-secret-text").innerText();
        expect((await system.api.webhooks.list())[0]).toMatchObject({
          name: "ops",
          events: expect.arrayContaining(["download.completed", "storage.low"]),
        });

        await button("Test").click();
        await page.getByText("Delivered to ops: 200").waitFor();
        Receiver.verify(receiver.messages[0]!, secret);
        receiver.answer = () => new Response("no", { status: 500 });
        await button("Attempts").click();
        await page.getByText("Delivered, 200").waitFor();
        await button("Test").click();
        await page.getByText("Not delivered to ops: the receiver answered 500").waitFor();
        await page.locator(".attempt").nth(1).waitFor();
        expect(await page.locator(".attempt").first().innerText()).toContain("Failed");
        expect(await dashboard.visit.violations()).toEqual([]);
        await dashboard.expectFitting();
        receiver.answer = () => new Response("thanks");
        const again = "Send again: webhook.test of webhook/ops";
        await page.getByRole("button", { name: again }).first().click();
        await page.getByText("Delivered to ops: 200").waitFor();
        expect(receiver.messages.at(-1)!.id).toBe(receiver.messages.at(-2)!.id);

        await button("Disable").click();
        await page.getByText("ops is told nothing more").waitFor();
        await button("Enable").click();
        await page.getByText("ops is told from now on").waitFor();
        await button("New secret").click();
        await button("Really make another?").click();
        await page.getByText("ops has another secret").waitFor();
        expect(await page.locator("#webhook-secret-text").innerText()).not.toBe(secret);
        await button("Close").click();
        // Actions that are requested while the list is loading are done after it has loaded.
        const list = await dashboard.holdAnswer("**/api/webhooks");
        await button("Webhooks…").click();
        await page.locator(".webhook").waitFor();
        expect(await page.locator("#webhook-secret").isVisible()).toBe(false);

        await page.getByLabel("Name", { exact: true }).fill("bad");
        await page.getByLabel("URL").fill("http://10.0.0.1/");
        await button("Make it").click();
        await list.pass();
        await page.getByText("10.0.0.1 is no address of the internet").waitFor();
        await button("Remove").click();
        await button("Really remove?").click();
        await page.getByText("ops is removed").waitFor();
        expect(await system.api.webhooks.list()).toEqual([]);
      },
      { viewport: { width, height: 900 }, expected: CALL_FAILED },
    );
  });

  test("are for admins", async () => {
    await using system = await System.start();
    const { token } = await system.api.createToken({ name: "eye", role: "operator" });
    await Dashboard.visit(browser, system.url, async (dashboard) => {
      await dashboard.signIn(token);
      expect(await dashboard.page.locator("#webhooks-open").isVisible()).toBe(false);
    });
  });
});
