import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { SignInCode } from "../../lib/api/schemas.ts";
import { NO_BROWSER } from "../support/browser.ts";
import { Dashboard } from "../support/dashboard.ts";
import {
  browser,
  CALL_FAILED,
  signedIn,
  system,
  useBrowserAndServer,
} from "../support/dashboard-stage.ts";
import { Fleet } from "../support/fleet.ts";
import { API_TOKEN } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

/* Sessions of the dashboard: signing in, messages after a session has ended, and security. */

setDefaultTimeout(TEST_LIMIT);

useBrowserAndServer();

// The tests need one site, because a dashboard without sites shows how to add one instead of downloads.
beforeAll(async () => {
  if (NO_BROWSER !== "") return;
  await using fleet = new Fleet(system.url);
  await fleet.join(["site-1"]);
});

async function isIn(dashboard: Dashboard): Promise<void> {
  await dashboard.isLive();
  await dashboard.site("site-1").waitFor();
}

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
        // After signing in again, the page shows the list that was shown before.
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

describe.skipIf(NO_BROWSER !== "")(`the dashboard${NO_BROWSER}`, () => {
  test("lets in who has the token, and out who signs out", async () => {
    await Dashboard.visit(
      browser,
      system.url,
      async (dashboard) => {
        const { page, visit } = dashboard;
        await page.goto(system.url);
        await page.getByLabel("API token").fill("wrong");
        await page.keyboard.press("Enter");
        await page.getByText("The API token is not the right one").waitFor();
        expect(await visit.violations()).toEqual([]);
        await page.getByLabel("API token").fill(API_TOKEN);
        await page.keyboard.press("Enter");
        await isIn(dashboard);
        await page.reload();
        await isIn(dashboard);
        await dashboard.signOut();
        expect(await page.context().cookies()).toEqual([]);
      },
      { expected: CALL_FAILED },
    );
  });

  test("lets in by a link, once, and takes its code out of the address", async () => {
    const response = await fetch(`${system.url}/api/session/code`, {
      method: "POST",
      headers: { Authorization: `Bearer ${API_TOKEN}` },
    });
    const { code } = SignInCode.parse(await response.json());
    await Dashboard.visit(browser, system.url, async (dashboard) => {
      await dashboard.page.goto(`${system.url}/#code=${code}`);
      await isIn(dashboard);
      expect(dashboard.page.url()).toBe(`${system.url}/`);
    });
    await Dashboard.visit(
      browser,
      system.url,
      async ({ page }) => {
        await page.goto(`${system.url}/#code=${code}`);
        await page.getByText("This sign-in link was used or is too old").waitFor();
        expect(page.url()).toBe(`${system.url}/`);
      },
      { expected: CALL_FAILED },
    );
  });

  test("asks who is there when the session has ended", async () => {
    await signedIn(
      system.url,
      async (dashboard) => {
        const { page } = dashboard;
        await dashboard.site("site-1").waitFor();
        // The session ends exactly at this call, so that no earlier call of the page can notice it.
        await page.route("**/api/download", async (route) => {
          await page.context().clearCookies();
          await route.continue();
        });
        await page.getByRole("button", { name: "Start" }).click();
        await page.getByLabel("API token").waitFor();
        expect(await page.locator(".site").count()).toBe(0);
      },
      { expected: CALL_FAILED },
    );
  });

  test("is sent with what keeps a browser from doing anything else", async () => {
    const { headers } = await fetch(system.url);
    const policy = headers.get("Content-Security-Policy");
    expect(policy).toStartWith("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).not.toMatch(/unsafe|\*|data:|https?:/);
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(headers.get("Referrer-Policy")).toBe("no-referrer");
    expect(headers.get("X-Frame-Options")).toBe("DENY");
  });

  test("keeps no secret in the server's log", async () => {
    const log = await Bun.file(join(system.folder, "server.log")).text();
    expect(log).not.toContain(API_TOKEN);
    expect(log).not.toContain("code=");
  });
});
