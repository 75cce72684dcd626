import { afterAll, afterEach, beforeAll, beforeEach } from "bun:test";
import type { Browser } from "playwright-core";
import { launchBrowser, NO_BROWSER } from "./browser.ts";
import { Dashboard, type DashboardVisitOptions } from "./dashboard.ts";
import { Fleet } from "./fleet.ts";
import { System } from "./system.ts";

/** The browser's console error for each failed call, for tests that expect calls to fail. */
export const CALL_FAILED = /^Failed to load resource: /;

/** The browser for all tests of a file, started by {@link useBrowser}. */
export let browser: Browser;
/**
 * The running server. {@link useBrowserAndServer} starts one for all tests of a file, {@link useFleet} one
 * for each test.
 */
export let system: System;
/** The simulated clients of a test, started by {@link useFleet}. */
export let fleet: Fleet;

/** Starts a browser for all tests of a file, and closes it afterwards. Does nothing without Chromium. */
export function useBrowser(): void {
  beforeAll(async () => {
    if (NO_BROWSER === "") browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
  });
}

/**
 * Starts a browser and a server for all tests of a file, and stops both afterwards. Does nothing without
 * Chromium.
 */
export function useBrowserAndServer(): void {
  useBrowser();
  beforeAll(async () => {
    if (NO_BROWSER === "") system = await System.start();
  });
  afterAll(async () => {
    await system?.[Symbol.asyncDispose]();
  });
}

/**
 * Starts a browser for all tests of a file, and a server and simulated clients for each test.
 * @param env settings of the server
 */
export function useFleet(env: Record<string, string> = {}): void {
  useBrowser();
  beforeEach(async () => {
    system = await System.start(env);
    fleet = new Fleet(system.url);
  });
  afterEach(async () => {
    await fleet[Symbol.asyncDispose]();
    await system[Symbol.asyncDispose]();
  });
}

/** Opens a server's dashboard, signs in, then runs the test's steps. */
export function signedIn(
  url: string,
  run: (dashboard: Dashboard) => Promise<void>,
  options: DashboardVisitOptions = {},
): Promise<void> {
  const begin = async (dashboard: Dashboard) => {
    await dashboard.signIn();
    await run(dashboard);
  };
  return Dashboard.visit(browser, url, begin, options);
}
