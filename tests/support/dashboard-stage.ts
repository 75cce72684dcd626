import { afterAll, afterEach, beforeAll, beforeEach } from "bun:test";
import type { Browser } from "playwright-core";
import { launchBrowser, NO_BROWSER } from "./browser.ts";
import { Dashboard, type DashboardVisitOptions } from "./dashboard.ts";
import { Fleet } from "./fleet.ts";
import { System } from "./system.ts";

/** What the browser's own console says of calls that fail, where tests mean them to. */
export const CALL_FAILED = /^Failed to load resource: /;

/** For all tests of a file, see {@link useBrowser}. */
export let browser: Browser;
/** For all tests of a file, see {@link useBrowserAndServer}; for each test, see {@link useFleet}. */
export let system: System;
/** For each test, see {@link useFleet}. */
export let fleet: Fleet;

/** Starts a browser for all tests of a file, where the machine has one, and ends it. */
export function useBrowser(): void {
  beforeAll(async () => {
    if (NO_BROWSER === "") browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
  });
}

/** Starts a browser and a server for all tests of a file, where the machine has one, and ends them. */
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
 * Starts a browser for all tests of a file, and a server and a fleet of clients for each test.
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

/** Visits the dashboard of a server, and signs in first. */
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
