import { expect } from "bun:test";
import { join } from "node:path";
import { SQL } from "bun";
import type { Browser, BrowserContextOptions, Locator, Page, Route } from "playwright-core";
import { toRegisteredRow, toRow } from "../../lib/server/database/rows.ts";
import { client } from "../server/database/samples.ts";
import { Visit } from "./browser.ts";
import { states } from "./downloads.ts";
import { API_TOKEN } from "./system.ts";

/** A wide screen and a narrow one, in pixels. */
const WIDTHS = [1280, 390];

/** What the browser's console says of a call that was under way when the session ended. */
const CALL_UNAUTHORIZED = /^Failed to load resource: .* status of 401 /;

export interface DashboardVisitOptions extends BrowserContextOptions {
  /** Errors in the browser's console that a test means to happen. */
  expected?: RegExp | null;
}

/** The page as a person with a browser meets it. */
export class Dashboard {
  readonly page: Page;
  #isSignedOut = false;

  constructor(
    readonly visit: Visit,
    private readonly url: string,
  ) {
    this.page = visit.page;
  }

  /** A visit of somebody who was never there; nothing may have gone wrong in the page at its end. */
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

  /** @param hash of the address: what is to be shown */
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

  /** That nothing has to be moved sideways, and that the page ends where its content does. */
  async expectFitting(): Promise<void> {
    const [wider, longer] = await this.page.evaluate<number[]>(`[
      document.documentElement.scrollWidth - innerWidth,
      document.documentElement.scrollHeight - Math.max(innerHeight,
        Math.floor(document.querySelector("main").getBoundingClientRect().bottom + scrollY)),
    ]`);
    expect(wider).toBe(0);
    // Heights are rounded.
    expect(longer).toBeLessThanOrEqual(1);
  }

  /** That it fits and breaks no rule of accessibility, in each look. */
  async expectReadable(): Promise<void> {
    await this.inEachLook(["light", "dark"], async () => {
      await this.expectFitting();
      expect(await this.visit.violations()).toEqual([]);
    });
  }

  /** Waits until all that the page is about to draw is drawn. */
  async drawn(): Promise<void> {
    await this.page.evaluate(
      "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
    );
  }

  /**
   * Holds back the server's next answer to a call.
   * @returns a promise of the answer, and a function that lets the page have it
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

  /** Shows the page as it is now on a wide screen and on a narrow one, in each of the schemes. */
  async inEachLook(schemes: ("light" | "dark")[], check: () => Promise<void>): Promise<void> {
    for (const width of WIDTHS) {
      await this.page.setViewportSize({ width, height: 800 });
      for (const colorScheme of schemes) {
        await this.page.emulateMedia({ colorScheme });
        // What is drawn anew for a width is there with the next frame.
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

/** What lies in a database that was filled; the number is of the site or download. */
export interface Filling {
  sites: number;
  downloads: number;
  idOf?: (site: number) => string;
  pathOf?: (download: number) => string;
  /** When each was asked for, ms since 1970; by itself now. */
  createdAt?: (download: number) => number;
}

/** The id of a site of a filled database, where nothing else is said. */
export function siteId(site: number): string {
  return `site-${String(site).padStart(4, "0")}`;
}

/** Writes what a chain of sites left in a year, beside the server. One of ten failed. */
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
