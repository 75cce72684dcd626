import { expect } from "bun:test";
import { join } from "node:path";
import { SQL } from "bun";
import type { Browser, BrowserContextOptions, Locator, Page, Route } from "playwright-core";
import { toRegisteredRow, toRow } from "../../lib/server/database/rows.ts";
import { client } from "../server/database/samples.ts";
import { Visit } from "./browser.ts";
import { states } from "./downloads.ts";
import { API_TOKEN } from "./system.ts";

/** The widths of a wide and a narrow screen, in pixels. */
const WIDTHS = [1280, 390];

/** The browser's console error for a call that was under way when the session ended. */
const CALL_UNAUTHORIZED = /^Failed to load resource: .* status of 401 /;

export interface DashboardVisitOptions extends BrowserContextOptions {
  /** Matches the errors in the browser's console that the test expects. */
  expected?: RegExp | null;
}

/** The dashboard in a browser, operated by clicks and keys as a person would. */
export class Dashboard {
  readonly page: Page;
  #isSignedOut = false;

  constructor(
    readonly visit: Visit,
    private readonly url: string,
  ) {
    this.page = visit.page;
  }

  /**
   * Opens the dashboard in a new browser context and runs the steps. Expects no errors other than those of
   * `expected`, and no requests to other origins.
   */
  static async visit(
    browser: Browser,
    url: string,
    run: (dashboard: Dashboard) => Promise<void>,
    { expected, ...options }: DashboardVisitOptions = {},
  ): Promise<void> {
    await using visit = await Visit.start(browser, url, options);
    const dashboard = new Dashboard(visit, url);
    await run(dashboard);
    const isExpected = (error: string) =>
      expected?.test(error) || (dashboard.#isSignedOut && CALL_UNAUTHORIZED.test(error));
    expect(visit.errors.filter((error) => !isExpected(error))).toEqual([]);
    expect(visit.strayed).toEqual([]);
  }

  /** Signs in on the page. @param hash the URL's fragment, which selects the view */
  async signIn(token = API_TOKEN, hash = ""): Promise<void> {
    await this.page.goto(`${this.url}/${hash}`);
    await this.page.getByLabel("API token").fill(token);
    await this.page.getByRole("button", { name: "Sign in" }).click();
    await this.isLive();
  }

  async signOut(): Promise<void> {
    this.#isSignedOut = true;
    await this.page.getByRole("button", { name: "Sign out" }).click();
    await this.page.getByLabel("API token").waitFor();
  }

  async isLive(): Promise<void> {
    await this.page.getByText("Live", { exact: true }).waitFor();
  }

  site(clientId: string): Locator {
    return this.page.locator(`.site[data-client-id="${clientId}"]`);
  }

  row(downloadId: string): Locator {
    return this.page.locator(`.download[data-download-id="${downloadId}"]`);
  }

  /** Expects no horizontal scrolling, and no empty space below the page's content. */
  async expectFitting(): Promise<void> {
    const [wider, longer] = await this.page.evaluate<number[]>(`[
      document.documentElement.scrollWidth - innerWidth,
      document.documentElement.scrollHeight - Math.max(innerHeight,
        Math.floor(document.querySelector("main").getBoundingClientRect().bottom + scrollY)),
    ]`);
    expect(wider).toBe(0);
    // One pixel is allowed, because the browser rounds heights.
    expect(longer).toBeLessThanOrEqual(1);
  }

  /**
   * Expects the page to fit each screen width and to pass the accessibility check, in light and dark mode.
   */
  async expectReadable(): Promise<void> {
    await this.inEachLook(["light", "dark"], async () => {
      await this.expectFitting();
      expect(await this.visit.violations()).toEqual([]);
    });
  }

  /** Waits two animation frames, until all pending changes of the page are drawn. */
  async drawn(): Promise<void> {
    await this.page.evaluate(
      "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
    );
  }

  /**
   * Delays the server's next response to a URL.
   * @returns a promise that resolves when the response has arrived, and a function that passes it to the page
   */
  async holdAnswer(url: string): Promise<{ arrived: Promise<void>; pass: () => Promise<void> }> {
    const arrived = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const passed = Promise.withResolvers<void>();
    const hold = async (route: Route) => {
      const response = await route.fetch();
      arrived.resolve();
      await released.promise;
      await route.fulfill({ response });
      passed.resolve();
    };
    await this.page.route(url, hold, { times: 1 });
    const pass = async () => {
      released.resolve();
      await passed.promise;
      await this.drawn();
    };
    return { arrived: arrived.promise, pass };
  }

  /** Runs a check of the current page at each screen width, in each of these colour schemes. */
  async inEachLook(schemes: ("light" | "dark")[], check: () => Promise<void>): Promise<void> {
    for (const width of WIDTHS) {
      await this.page.setViewportSize({ width, height: 800 });
      for (const colorScheme of schemes) {
        await this.page.emulateMedia({ colorScheme });
        // After a change of the width, the page is drawn again in the next animation frame.
        await this.drawn();
        try {
          await check();
        } catch (cause) {
          throw new Error(`it looks wrong: ${colorScheme}, ${width} pixels wide`, { cause });
        }
      }
    }
  }
}

/** The rows to write into a database. Callbacks get the number of the site or download, from 0. */
export interface Filling {
  sites: number;
  downloads: number;
  idOf?: (site: number) => string;
  pathOf?: (download: number) => string;
  /** Returns when a download was requested, in ms since 1970. The default is the current time. */
  createdAt?: (download: number) => number;
}

/** Returns the default client id for the number of a site in a filled database. */
export function siteId(site: number): string {
  return `site-${String(site).padStart(4, "0")}`;
}

/** Writes clients and ended downloads into a server's SQLite file. One download in ten has failed. */
export async function fillDatabase(folder: string, filling: Filling): Promise<void> {
  const { sites, downloads, idOf = siteId, pathOf, createdAt = () => Date.now() } = filling;
  await using sql = new SQL({
    adapter: "sqlite",
    filename: join(folder, "downloads/.server/state.db"),
    transform: SQL.camel,
  });
  const clients = Array.from({ length: sites }, (_, site) => toRegisteredRow(client(idOf(site))));
  const rows = Array.from({ length: downloads }, (_, index) => {
    const state = index % 10 === 0 ? states.failed : states.completed;
    const clientId = idOf(index % sites);
    return toRow({
      ...state,
      ...(pathOf && { filePath: pathOf(index) }),
      downloadId: Bun.randomUUIDv7("hex", createdAt(index)),
      clientId,
      revision: index + 1,
      ...(state.status === "completed" && { savedPath: `${clientId}/${index}.txt` }),
    });
  });
  await sql.begin(async (all) => {
    for (let at = 0; at < clients.length; at += 200) {
      await all`INSERT INTO clients ${all(clients.slice(at, at + 200))}`;
    }
    for (let at = 0; at < rows.length; at += 200) {
      await all`INSERT INTO downloads ${all(rows.slice(at, at + 200))}`;
    }
  });
}
