import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { NO_BROWSER } from "../support/browser.ts";
import { Dashboard } from "../support/dashboard.ts";
import {
  browser,
  CALL_FAILED,
  signedIn,
  system,
  useBrowserAndServer,
} from "../support/dashboard-stage.ts";
import { API_TOKEN } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

/* What the dashboard says of a session that has ended: nothing of the board, and why. */

setDefaultTimeout(TEST_LIMIT);

useBrowserAndServer();

async function isSaid(dashboard: Dashboard, words: string): Promise<void> {
  const { page } = dashboard;
  await page.getByText(words).waitFor();
  expect(await page.getByLabel("API token").isVisible()).toBe(true);
  expect(await page.locator("#board").isVisible()).toBe(false);
}

describe.skipIf(NO_BROWSER !== "")(`a session on the dashboard${NO_BROWSER}`, () => {
  test("is signed out here, and in another tab", async () => {
    await Dashboard.visit(
      browser,
      system.url,
      async (dashboard) => {
        const { page } = dashboard;
        await page.goto(system.url);
        await page.getByLabel("API token").waitFor();
        expect(await page.locator("#sign-in-why").innerText()).toBe("");
        await dashboard.signIn();
        const other = await page.context().newPage();
        await other.goto(system.url);
        await other.getByText("Live", { exact: true }).waitFor();
        await other.getByRole("button", { name: "Sign out" }).click();
        await other.getByText("You are signed out.").waitFor();
        await isSaid(dashboard, "You are signed out.");
        expect(await dashboard.visit.violations()).toEqual([]);
        await page.reload();
        await page.getByLabel("API token").waitFor();
        expect(await page.locator("#sign-in-why").innerText()).toBe("");
      },
      { expected: CALL_FAILED },
    );
  });

  test("is ended elsewhere, by a copy of its cookie", async () => {
    await signedIn(
      system.url,
      async (dashboard) => {
        const [cookie] = await dashboard.page.context().cookies();
        const headers = { Cookie: `${cookie?.name}=${cookie?.value}`, Origin: system.url };
        await fetch(`${system.url}/api/session`, { method: "DELETE", headers });
        await isSaid(dashboard, "Your session was ended: signed out elsewhere");
      },
      { expected: CALL_FAILED },
    );
  });

  test("has a token that is revoked", async () => {
    const { token } = await system.api.createToken({ name: "eye", role: "viewer" });
    await Dashboard.visit(
      browser,
      system.url,
      async (dashboard) => {
        await dashboard.signIn(token, "#status=failed");
        await system.api.revokeToken("eye");
        await isSaid(dashboard, "the token that it was begun with is revoked");
        // Who signs in again sees what was shown before.
        await dashboard.page.getByLabel("API token").fill(API_TOKEN);
        await dashboard.page.keyboard.press("Enter");
        await dashboard.isLive();
        expect(await dashboard.page.getByRole("radio", { name: "Failed" }).isChecked()).toBe(true);
      },
      { expected: CALL_FAILED },
    );
  });

  test("has expired", async () => {
    const order = { name: "soon", role: "viewer", expires_in_seconds: 8 } as const;
    const { token } = await system.api.createToken(order);
    await Dashboard.visit(
      browser,
      system.url,
      async (dashboard) => {
        await dashboard.signIn(token);
        await isSaid(dashboard, "Your session has expired.");
      },
      { expected: CALL_FAILED },
    );
  });
});
