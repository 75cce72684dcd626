import { afterAll, beforeAll } from "bun:test";
import type { Browser } from "playwright-core";
import { launchBrowser, NO_BROWSER } from "./browser.ts";
import { System } from "./system.ts";

/** What the browser's own console says of calls that fail, where tests mean them to. */
export const CALL_FAILED = /^Failed to load resource: /;

/** For all tests of a file, see {@link useBrowser}. */
export let browser: Browser;
/** For all tests of a file, see {@link useBrowserAndServer}. */
export let system: System;

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
